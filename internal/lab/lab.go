// Package lab starts real servers on loopback with throw-away data: an OpenLDAP
// provider and its replica, a secret store, a workflow engine. The tests, the
// demo and the benchmark share it, so what they talk to is the real thing.
//
// Every server runs as the calling user in a directory the caller names, keeps
// nothing outside it, and dies with the calling process.
package lab
