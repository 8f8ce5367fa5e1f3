package flush

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
)

func TestACommandIsRunWithNamesAndNothingOfTheWorkersOwn(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Setenv("ROLLCALL_FLUSH_DIR", dir)
	t.Setenv("VAULT_TOKEN", "not-for-commands")
	write := func(name, text string) string {
		at := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(at, []byte("#!/bin/sh\n"+text), 0o755))
		return at
	}
	n := Names{Door: "mail", Login: "svc relay; rm -rf $HOME", Device: "esg-01", Campaign: "esg-01-1"}
	run := func(argv ...string) (string, bool) {
		return Run(t.Context(), door.Settings{Flush: &door.Flush{Command: argv}}, nil, n)
	}
	good := write("good", `env > `+out+`/env; printf '%s|' "$@" > `+out+`/args`)
	said, ok := run(good, "flush", "{login}", "x={login}")
	require.True(t, ok)
	require.Equal(t, "exit code 0", said)
	env, err := os.ReadFile(filepath.Join(out, "env"))
	require.NoError(t, err)
	require.NotContains(t, string(env), "not-for-commands")
	require.Contains(t, string(env), "ROLLCALL_DOOR=mail\n")
	args, err := os.ReadFile(filepath.Join(out, "args"))
	require.NoError(t, err)
	require.Equal(t, "flush|"+n.Login+"|x="+n.Login+"|", string(args), "no shell reads it")

	said, ok = run(write("bad", "exit 7"))
	require.False(t, ok)
	require.Equal(t, "exit code 7", said)
	n.Login = "--all"
	said, ok = run(good, "{login}")
	require.False(t, ok)
	require.Contains(t, said, "hyphen")

	// Whoever writes a campaign file brings no command along.
	for _, program := range []string{"/bin/sh", filepath.Join(dir, "..", "good"), filepath.Join(dir, "none"), "good"} {
		said, ok = run(program)
		require.False(t, ok, program)
		require.Contains(t, said, "was not run", program)
	}
	require.NoError(t, os.Chmod(good, 0o777))
	said, ok = run(good)
	require.False(t, ok)
	require.Contains(t, said, "may change it")
}

func TestAWebHookIsToldNamesAndItsAnswerIsHeard(t *testing.T) {
	var got map[string]string
	code, elsewhere := http.StatusNoContent, 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere++
			return
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &got)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	}))
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	n := Names{Door: "mail", Login: "svc", Device: "esg-01", Campaign: "c"}
	settings := door.Settings{CA: ca, Flush: &door.Flush{URL: s.URL + "/flush"}}
	said, ok := Run(t.Context(), settings, nil, n)
	require.True(t, ok)
	require.Equal(t, "answered 204", said)
	require.Equal(t, map[string]string{"door": "mail", "login": "svc", "device": "esg-01", "campaign": "c"}, got)
	for code = range map[int]bool{http.StatusFound: true, http.StatusInternalServerError: true, http.StatusUnauthorized: true} {
		got = nil
		said, ok = Run(t.Context(), settings, []string{"127.0.0.1"}, n)
		require.False(t, ok, "%s", said)
		require.Nil(t, got, "a device that was in foreign hands is told nothing")
		said, ok = Run(t.Context(), settings, nil, n)
		require.False(t, ok)
		require.Contains(t, said, "answered")
	}
	require.Zero(t, elsewhere, "a redirect is not followed")
	settings.CA = ""
	said, ok = Run(t.Context(), settings, nil, n)
	require.False(t, ok)
	require.Equal(t, "gave no answer", said, "a certificate that nobody vouches for")
	require.False(t, strings.Contains(said, s.URL))
}
