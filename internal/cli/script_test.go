package cli

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts below testdata run the program as people do, without any server:
// what it says, on which stream, and with which exit code.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rollcall": func() {
			os.Exit(Run(context.Background(), os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("VAULT_ADDR", "http://127.0.0.1:1") // nothing listens there
			e.Setenv("VAULT_TOKEN", "none")
			e.Setenv("VAULT_MAX_RETRIES", "0")
			return nil
		},
		Cmds:                ledgerCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
