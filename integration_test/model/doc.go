// Package model compares the running gate with what it should do: with the
// table of docs/decisions.md, all of it, and with a reference decision of a few
// lines, for whatever a fuzzer comes up with.
package model
