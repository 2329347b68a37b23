// Package model compares the running gate with all of the table in docs/decisions.md.
// For inputs of a fuzzer it compares the gate with a reference decision of a few lines.
package model
