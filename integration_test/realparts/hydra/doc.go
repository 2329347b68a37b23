// Package hydra names the version of Ory Hydra that the tests build and start. It is a
// module of its own, so that its dependencies are of no other.
package hydra
