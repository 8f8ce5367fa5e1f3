package engine

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// mutualTLS is a TLS endpoint before an engine, as a cluster has one: it wants
// a client certificate of the CA. It gives the address.
func mutualTLS(t *testing.T, ca *lab.CA, dir, engine string) string {
	t.Helper()
	cert, key, _, err := ca.Issue(dir, "temporal", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", engine)
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, near) }()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	return l.Addr().String()
}

func TestAClusterIsReachedOverMutualTLS(t *testing.T) {
	local := connect(t, options(alone(t), true))
	defer func() { require.NoError(t, local.Stop()) }()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	other, err := lab.NewCA()
	require.NoError(t, err)
	dir := t.TempDir()
	address := mutualTLS(t, ca, dir, local.Address)
	cert, key, root, err := ca.Issue(dir, "worker", time.Hour)
	require.NoError(t, err)
	wrongRoot := filepath.Join(dir, "wrong.crt")
	require.NoError(t, os.WriteFile(wrongRoot, other.PEM, 0o600))

	for _, row := range []struct {
		name string
		env  map[string]string
		file string // temporal.toml
		fail bool
	}{
		{name: "by variables", env: map[string]string{
			"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": root,
			"TEMPORAL_TLS_CLIENT_CERT_PATH": cert, "TEMPORAL_TLS_CLIENT_KEY_PATH": key,
		}},
		{name: "by temporal.toml", file: "[profile.default]\naddress = \"" + address + "\"\n[profile.default.tls]\nserver_ca_cert_path = \"" + root +
			"\"\nclient_cert_path = \"" + cert + "\"\nclient_key_path = \"" + key + "\"\n"},
		{name: "without a client certificate", fail: true, env: map[string]string{
			"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": root,
		}},
		{name: "with a server of another CA", fail: true, env: map[string]string{
			"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": wrongRoot,
			"TEMPORAL_TLS_CLIENT_CERT_PATH": cert, "TEMPORAL_TLS_CLIENT_KEY_PATH": key,
		}},
		{name: "in clear text", fail: true, env: map[string]string{"TEMPORAL_ADDRESS": address}},
	} {
		t.Run(row.name, func(t *testing.T) {
			state := alone(t)
			if row.file != "" {
				require.NoError(t, os.WriteFile(os.Getenv("TEMPORAL_CONFIG_FILE"), []byte(row.file), 0o600))
			}
			for name, value := range row.env {
				t.Setenv(name, value)
			}
			e, err := Connect(t.Context(), options(state, false))
			if row.fail {
				require.ErrorContains(t, err, address)
				require.ErrorContains(t, err, "TLS settings")
				return
			}
			require.NoError(t, err)
			require.False(t, e.Local)
			serves(t, e)
			require.NoError(t, e.Stop())
		})
	}
}
