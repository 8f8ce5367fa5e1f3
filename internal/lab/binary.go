package lab

import (
	"bytes"
	"fmt"
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
