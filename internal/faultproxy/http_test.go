package faultproxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
)

// counter is an HTTP server that counts the writes it applied.
type counter struct {
	writes atomic.Int32
	*httptest.Server
}

func newCounter(t *testing.T) *counter {
	c := &counter{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPut {
			c.writes.Add(1)
		}
		w.Header().Set("X-Seen", r.Header.Get("X-Vault-Token"))
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(append([]byte(r.URL.RequestURI()+" "), body...))
	}))
	t.Cleanup(c.Close)
	return c
}

// put writes once, and waits for the answer.
func put(t *testing.T, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return write(ctx, url)
}

// givenUp does something that gets no answer, and gives it up once the proxy
// has it.
func givenUp(t *testing.T, has func() bool, do func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	require.Eventually(t, has, time.Minute, time.Millisecond)
	cancel()
	return <-done
}

// fired is for givenUp.
func fired(p *faultproxy.Proxy) func() bool {
	return func() bool { _, ok := p.Fired(); return ok }
}

func write(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/v1/kv/data/a?x=1", strings.NewReader("Planted-Body"))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	return err
}

func TestHTTPPassesThroughAndIsRecordedWithoutSecrets(t *testing.T) {
	c := newCounter(t)
	p, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", c.URL, nil, nil)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.URL()+"/v1/kv/data/a%2Fb?x=Planted", strings.NewReader("Planted-Body"))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", "Planted-Token")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "/v1/kv/data/a%2Fb?x=Planted Planted-Body", string(body))
	require.Equal(t, http.StatusAccepted, res.StatusCode)
	require.Equal(t, "Planted-Token", res.Header.Get("X-Seen"))
	list, err := http.Get(p.URL() + "/v1/kv/metadata/?list=true")
	require.NoError(t, err)
	require.NoError(t, list.Body.Close())
	require.Equal(t, []faultproxy.Request{
		{N: 1, Kind: "PUT", Detail: "/v1/kv/data/a/b", Applied: true},
		{N: 2, Kind: "LIST", Detail: "/v1/kv/metadata/", Applied: true},
	}, p.Requests())
}

func TestHTTPFaultsHitTheRequestTheyWereArmedForAndNoOther(t *testing.T) {
	for name, row := range map[string]struct {
		fault   faultproxy.Fault
		applied int32
	}{
		"drop request": {faultproxy.DropRequest, 0},
		"drop reply":   {faultproxy.DropReply, 1},
		"cut":          {faultproxy.Cut, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			p, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", c.URL, nil, nil)
			require.NoError(t, err)
			p.Arm(faultproxy.Plan{At: 3, Fault: row.fault})
			require.NoError(t, put(t, p.URL()))
			require.NoError(t, put(t, p.URL()))
			require.EqualValues(t, 2, c.writes.Load())

			if row.fault == faultproxy.DropRequest {
				require.Error(t, givenUp(t, fired(p), func(ctx context.Context) error { return write(ctx, p.URL()) }))
			} else {
				require.Error(t, put(t, p.URL()))
			}
			require.EqualValues(t, 2+row.applied, c.writes.Load())
			r, fired := p.Fired()
			require.True(t, fired)
			require.Equal(t, 3, r.N)
			require.Equal(t, row.applied == 1, r.Applied)

			require.NoError(t, put(t, p.URL()))
			require.EqualValues(t, 3+row.applied, c.writes.Load())
			require.Equal(t, 4, p.Count(), "nothing was sent twice")
		})
	}
}

func TestHTTPStallPauseDownAndHooks(t *testing.T) {
	c := newCounter(t)
	p, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", c.URL, nil, nil)
	require.NoError(t, err)
	p.Arm(faultproxy.Plan{At: 1, Fault: faultproxy.Stall})
	require.Error(t, givenUp(t, fired(p), func(ctx context.Context) error { return write(ctx, p.URL()) }))
	require.NoError(t, put(t, p.URL()))
	require.EqualValues(t, 1, c.writes.Load())
	p.Release()
	require.Eventually(t, func() bool { return p.Requests()[0].Applied }, time.Minute, time.Millisecond)
	require.EqualValues(t, 2, c.writes.Load())

	var before, after int32
	p.OnRequest(func(faultproxy.Request) { before = c.writes.Load() })
	p.OnReply(func(faultproxy.Request) { after = c.writes.Load() })
	require.NoError(t, put(t, p.URL()))
	require.EqualValues(t, 2, before)
	require.EqualValues(t, 3, after)
	p.OnRequest(nil)
	p.OnReply(nil)

	p.Pause()
	n := p.Count()
	arrived := func() bool { return p.Count() == n+1 }
	require.Error(t, givenUp(t, arrived, func(ctx context.Context) error { return write(ctx, p.URL()) }))
	require.Eventually(t, func() bool { return p.Requests()[p.Count()-1].Abandoned }, time.Minute, time.Millisecond)
	held := make(chan error, 1)
	n = p.Count()
	go func() { held <- put(t, p.URL()) }()
	require.Eventually(t, arrived, time.Minute, time.Millisecond)
	p.Resume()
	require.NoError(t, <-held)
	require.EqualValues(t, 4, c.writes.Load(), "the one whose client left was not applied")

	p.Down()
	require.Error(t, put(t, p.URL()))
	require.NoError(t, p.Up())
	require.NoError(t, put(t, p.URL()))
}

func TestHTTPSOnBothSides(t *testing.T) {
	c := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	defer c.Close()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	crt, key, _, err := ca.Issue(t.TempDir(), "proxy", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(crt, key)
	require.NoError(t, err)
	up := c.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	up.ServerName = "127.0.0.1"
	p, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", c.URL, &tls.Config{Certificates: []tls.Certificate{pair}}, up)
	require.NoError(t, err)

	roots := up.RootCAs.Clone()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	res, err := client.Get(p.URL() + "/v1/sys/health")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "HTTP/1.1", res.Proto)
}

// A proxy that is down comes back at its port, which no outgoing connection may
// take meanwhile (lab.FreePort).
func TestTheKernelGivesThePortOfAProxyToNobodyElse(t *testing.T) {
	p, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", "http://127.0.0.1:1", nil, nil)
	require.NoError(t, err)
	var port int
	_, err = fmt.Sscanf(p.URL(), "http://127.0.0.1:%d", &port)
	require.NoError(t, err)
	require.Less(t, port, 15000)
}
