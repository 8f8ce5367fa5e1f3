package faultproxy_test

import (
	"context"
	"crypto/tls"
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

func put(url string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
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
			require.NoError(t, put(p.URL(), time.Minute))
			require.NoError(t, put(p.URL(), time.Minute))
			require.EqualValues(t, 2, c.writes.Load())

			require.Error(t, put(p.URL(), 500*time.Millisecond))
			require.EqualValues(t, 2+row.applied, c.writes.Load())
			r, fired := p.Fired()
			require.True(t, fired)
			require.Equal(t, 3, r.N)
			require.Equal(t, row.applied == 1, r.Applied)

			require.NoError(t, put(p.URL(), time.Minute))
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
	require.Error(t, put(p.URL(), 100*time.Millisecond))
	require.NoError(t, put(p.URL(), time.Minute))
	require.EqualValues(t, 1, c.writes.Load())
	p.Release()
	require.Eventually(t, func() bool { return c.writes.Load() == 2 }, 5*time.Second, time.Millisecond)

	var before, after int32
	p.OnRequest(func(faultproxy.Request) { before = c.writes.Load() })
	p.OnReply(func(faultproxy.Request) { after = c.writes.Load() })
	require.NoError(t, put(p.URL(), time.Minute))
	require.EqualValues(t, 2, before)
	require.EqualValues(t, 3, after)
	p.OnRequest(nil)
	p.OnReply(nil)

	p.Pause()
	require.Error(t, put(p.URL(), 100*time.Millisecond))
	require.Eventually(t, func() bool { return p.Requests()[p.Count()-1].Abandoned }, 10*time.Second, time.Millisecond)
	held := make(chan error, 1)
	n := p.Count()
	go func() { held <- put(p.URL(), time.Minute) }()
	require.Eventually(t, func() bool { return p.Count() == n+1 }, 5*time.Second, time.Millisecond)
	p.Resume()
	require.NoError(t, <-held)
	require.EqualValues(t, 4, c.writes.Load(), "the one whose client left was not applied")

	p.Down()
	require.Error(t, put(p.URL(), time.Minute))
	require.NoError(t, p.Up())
	require.NoError(t, put(p.URL(), time.Minute))
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
