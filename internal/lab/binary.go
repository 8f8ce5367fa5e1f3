package lab

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
)

// binary finds one of Rollcall's own programs: beside the running executable,
// or in bin/ of the source tree that the working directory is in (where go test
// runs). The error says how to build it.
func binary(name string) (string, error) {
	var tried []string
	if self, err := os.Executable(); err == nil {
		tried = append(tried, filepath.Join(filepath.Dir(self), name))
	}
	if root, ok := sourceRoot(); ok {
		tried = append(tried, filepath.Join(root, "bin", name))
	}
	for _, path := range tried {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("lab: no %s at %q: run `make build` first", name, tried)
}

// sourceRoot walks up from the working directory to Rollcall's go.mod, past
// those of nested modules.
func sourceRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil &&
			bytes.HasPrefix(mod, []byte("module rollcall\n")) {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// restartPort returns a loopback port for a server that will be killed and
// started again on the same port. It lies below Linux's ephemeral range (32768
// and up, ip_local_port_range in ip(7)): there, while the server is down, any
// outgoing connection could take it, even a client dialling the server itself.
func restartPort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(17000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("lab: 100 ports between 15000 and 32000 on 127.0.0.1 are all taken")
}
