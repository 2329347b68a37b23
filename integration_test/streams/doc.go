// Package streams opens event streams, WebSockets and downloads through a gate with
// `end_streams`, and ends their credentials.
package streams
