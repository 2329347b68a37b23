// Package faults breaks what the gate depends on: the provider, the files, the store,
// the configuration. A caller with a valid credential passes as long as the gate can
// decide it, and no other caller passes meanwhile. The table of docs/reliability.md
// says which fault does what. Reloads keep what must outlive a configuration, and
// leave nothing else.
package faults
