// Package lab starts real servers on loopback with throw-away data: an OpenLDAP
// provider and its replica, a secret store, a workflow engine. The tests, the
// demo and the benchmark share it, so what they talk to is the real thing.
//
// Every server runs as the calling user in a directory the caller names, keeps
// nothing outside it, and dies with the calling process.
package lab

import (
	"fmt"
	"net"
)

// FreePort returns a TCP port on 127.0.0.1 nobody listened on a moment ago.
// Another process can take it before the caller's server does; a server that
// fails to bind should be started again on another port.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("lab: find a free port on 127.0.0.1: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("lab: release port %d: %w", port, err)
	}
	return port, nil
}
