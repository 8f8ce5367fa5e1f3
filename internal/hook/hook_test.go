package hook

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressOfTheDeviceIsKnownHoweverItIsWritten(t *testing.T) {
	device := []string{"192.0.2.10", "2001:db8::10", "Gateway.Example.org"}
	for _, at := range []string{"192.0.2.10", "192.0.2.10:443", "[::ffff:192.0.2.10]:25", "2001:DB8:0::10", "[2001:db8::10]:587", "[2001:db8::10%eth0]:587", "gateway.example.org", "GATEWAY.example.org.:443"} {
		require.True(t, AtDevice(at, device), at)
	}
	for _, at := range []string{"", ":443", "192.0.2.1", "192.0.2.100:443", "example.org", "not-gateway.example.org"} {
		require.False(t, AtDevice(at, device), at)
	}
}

// A proxy of the worker's environment is somebody else who reads along.
func TestNoProxyIsAskedAndTheDeviceIsNotDialled(t *testing.T) {
	heard := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard++ }))
	defer s.Close()
	proxied := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied++ }))
	defer proxy.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	p := Post{URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1), Body: []byte("{}")}
	said, ok := p.Send(t.Context())
	require.False(t, ok)
	require.Equal(t, "gave no answer", said, "nobody vouches for its certificate")
	p.URL, p.CA = s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	said, ok = p.Send(t.Context())
	require.True(t, ok, said)
	require.Equal(t, 1, heard)
	p.Never = []string{"127.0.0.1"}
	for _, url := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		p.URL = url
		said, ok = p.Send(t.Context())
		require.False(t, ok)
		require.NotEqual(t, "answered 200", said)
	}
	require.Equal(t, 1, heard, "a name that leads there is not gone after either")
	require.Zero(t, proxied)
}

func TestACommandMayLeaveWhatItIsGivenUnread(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "deaf")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexit 0\n"), 0o755))
	t.Setenv("ROLLCALL_TEST_DIR", dir)
	c := Command{Folder: Folder{Path: "/nowhere", Env: "ROLLCALL_TEST_DIR"}, Argv: []string{program}, Stdin: make([]byte, 1<<20)}
	said, ok := c.Run(t.Context())
	require.True(t, ok, said)
	require.Equal(t, "exit code 0", said)

	// A folder that others may write to is not trusted, whatever lies in it.
	require.NoError(t, os.Chmod(dir, 0o777))
	said, ok = c.Run(t.Context())
	require.False(t, ok)
	require.Contains(t, said, "may change it")
}
