// Package faults breaks what the gate depends on: the provider, the files, the
// store, the configuration. Whoever has a good credential goes on as long as
// anything is known of it, and nobody else comes in meanwhile. The table of
// docs/reliability.md says which fault does what.
package faults
