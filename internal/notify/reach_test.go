package notify

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
	"rollcall/internal/notify/settings"
)

// Nobody is told anything by it.
func TestWhoCannotBeToldIsKnownBeforehand(t *testing.T) {
	posted := 0
	hook := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted++ }))
	defer hook.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	listens, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	open := listens.Addr().String()
	closed, err := lab.FreePort()
	require.NoError(t, err)
	shut := fmt.Sprintf("127.0.0.1:%d", closed)
	defer listens.Close()
	dir := t.TempDir()
	t.Setenv(Folder.Env, dir)
	t.Setenv(ReloadFolder.Env, t.TempDir())
	program := filepath.Join(dir, "page-the-duty")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexit 1\n"), 0o700))
	for name, row := range map[string]struct {
		target settings.Target
		reload bool
		never  []string
		fails  string
	}{
		"a web hook":                          {target: settings.Target{URL: hook.URL + "/notice", CA: ca}},
		"one whose certificate nobody trusts": {target: settings.Target{URL: hook.URL}, fails: "certificate"},
		"one at a port where nobody listens":  {target: settings.Target{URL: "https://" + shut}, fails: "refused"},
		"one at the device":                   {target: settings.Target{URL: hook.URL, CA: ca}, never: []string{"127.0.0.1"}, fails: "compromised device"},
		"a mail server":                       {target: settings.Target{Mail: &settings.Mail{Server: open}}},
		"one that is away":                    {target: settings.Target{Mail: &settings.Mail{Server: shut}}, fails: "refused"},
		"a command":                           {target: settings.Target{Command: []string{program}}},
		"one that is not there":               {target: settings.Target{Command: []string{program + "-of-yesterday"}}, fails: "it is not there"},
		"one for another purpose":             {target: settings.Target{Command: []string{program}}, reload: true, fails: "and nothing else"},
	} {
		said, err := Reach(t.Context(), row.target, row.reload, row.never)
		if row.fails == "" {
			require.NoError(t, err, name)
			require.NotEmpty(t, said, name)
			continue
		}
		require.ErrorContains(t, err, row.fails, name)
	}
	require.Zero(t, posted)
}
