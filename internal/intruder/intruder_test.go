package intruder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRefusedCredentialsAreTriedRarelyEnoughNotToLockTheAccount(t *testing.T) {
	var refusals []time.Time
	tried := []time.Duration{}
	for now := noon; now.Before(noon.Add(2 * time.Hour)); now = now.Add(time.Second) {
		if now.Before(nextTry(refusals)) {
			continue
		}
		tried = append(tried, now.Sub(noon))
		refusals = append(refusals, now)
		if len(refusals) > quietAfter {
			refusals = refusals[1:]
		}
	}
	require.Equal(t, []time.Duration{0, 3 * time.Second, 9 * time.Second}, tried[:3], "the first refusals are checked again soon")
	require.Greater(t, len(tried), 20, "it never gives up")
	for i := range tried[quietAfter:] {
		require.GreaterOrEqual(t, tried[i+quietAfter]-tried[i], quietTime)
	}
	require.True(t, nextTry(nil).IsZero(), "an accepted credential is always due")
}

func TestBadInputIsRefusedWithItsLineAndWithoutTheSecret(t *testing.T) {
	const planted = "Planted-Secret-1"
	for name, row := range map[string]struct{ line, want string }{
		"not JSON":            {`{"id":"a","password":"` + planted + `"`, "line 2"},
		"wrong type":          {`{"id":7,"password":"` + planted + `"}`, "not a JSON object"},
		"no servers":          {`{"id":"a","kind":"ldap","dn":"cn=a","password":"` + planted + `"}`, "needs id, password and servers"},
		"no dn":               {`{"id":"a","kind":"ldap","servers":["ldap://127.0.0.1:1"],"password":"` + planted + `"}`, "needs dn"},
		"no role":             {`{"id":"a","kind":"approle","servers":["http://127.0.0.1:1"],"password":"` + planted + `"}`, "needs role_id"},
		"unknown kind":        {`{"id":"a","kind":"ssh","servers":["ldap://127.0.0.1:1"],"password":"` + planted + `"}`, "kind must be"},
		"wrong scheme":        {`{"id":"a","kind":"ldap","dn":"cn=a","servers":["http://127.0.0.1:1"],"password":"` + planted + `"}`, "does not fit kind"},
		"no role of Postgres": {`{"id":"a","kind":"postgres","servers":["postgresql://127.0.0.1:1"],"password":"` + planted + `"}`, "needs user"},
		"bad ca":              {`{"id":"a","kind":"ldap","dn":"cn=a","servers":["ldaps://127.0.0.1:1"],"ca_pem":"x","password":"` + planted + `"}`, "holds no certificate"},
		"unknown command":     {`{"command":"dance"}`, "unknown command"},
		"pause is negative":   {`{"command":"pause","pause_ms":-1}`, "bad pause_ms"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Run(t.Context(), strings.NewReader("\n"+row.line+"\n"), &out)
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, "line 2")
			require.NotContains(t, err.Error()+out.String(), planted)
		})
	}
}

func TestStolenPrintsItsIDOnly(t *testing.T) {
	s := Stolen{ID: "corp/1", DN: "cn=x", Password: "Planted-Secret-2"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		require.Equal(t, "stolen corp/1", fmt.Sprintf(verb, s))
	}
}

func TestItStopsWhenTheContextEndsAndStillReports(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, feed := io.Pipe() // never closed: as a parent that lives on
	defer feed.Close()
	out := newWatched()
	done := make(chan error, 1)
	go func() { done <- Run(ctx, in, out) }()
	_, err := io.WriteString(feed, `{"id":"a","kind":"ldap","dn":"cn=a","servers":["ldap://127.0.0.1:1"],"password":"x"}`+"\n")
	require.NoError(t, err)
	out.waitFor(t, `"to":"unreachable"`)
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("still running")
	}
	results, sum, err := ReadResults(strings.NewReader(out.String()))
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, "unreachable", results[0].State)
	require.Zero(t, results[0].Successes)
	require.True(t, results[0].FirstRefusal.IsZero(), "a silent server refused nothing")
	require.Equal(t, 1, sum.Credentials)
}

func TestItStopsWhenNobodyReadsItsOutput(t *testing.T) {
	in, feed := io.Pipe()
	defer feed.Close()
	done := make(chan error, 1)
	go func() { done <- Run(t.Context(), in, failing{}) }()
	_, err := io.WriteString(feed, `{"id":"a","kind":"ldap","dn":"cn=a","servers":["ldap://127.0.0.1:1"],"password":"x"}`+"\n")
	require.NoError(t, err)
	require.ErrorIs(t, <-done, io.ErrClosedPipe)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStampsAreUTCToTheMillisecond(t *testing.T) {
	b, err := json.Marshal(Stamp{time.Date(2026, 11, 23, 13, 0, 0, 120_999_000, time.FixedZone("CET", 3600))})
	require.NoError(t, err)
	require.Equal(t, `"2026-11-23T12:00:00.120Z"`, string(b))
	var back Stamp
	require.NoError(t, json.Unmarshal(b, &back))
	require.True(t, back.Equal(noon.Add(120*time.Millisecond)))
}

func TestJudge(t *testing.T) {
	at := func(ms int) Stamp { return Stamp{noon.Add(time.Duration(ms) * time.Millisecond)} }
	res := func(server string, success, answer Stamp) Result {
		return Result{ID: "a", Server: server, Via: Login, LastSuccess: success, LastAnswer: answer}
	}
	dead := []Death{{ID: "a", At: noon.Add(100*time.Millisecond + 400*time.Microsecond)}}
	for name, row := range map[string]struct {
		results []Result
		want    []What
	}{
		"in before, refused after":          {[]Result{res("s1", at(50), at(200))}, nil},
		"never in, refused after":           {[]Result{res("s1", Stamp{}, at(200))}, nil},
		"in after":                          {[]Result{res("s1", at(150), at(200))}, []What{GotIn}},
		"in within the same millisecond":    {[]Result{res("s1", at(100), at(200))}, nil},
		"no answer since":                   {[]Result{res("s1", at(50), at(50))}, []What{NotTried}},
		"no answer ever":                    {[]Result{res("s1", Stamp{}, Stamp{})}, []What{NotTried}},
		"good on one server, in on another": {[]Result{res("s1", at(50), at(200)), res("s2", at(101), at(300))}, []What{GotIn}},
		"not held":                          {nil, []What{NeverTried}},
		"another credential still gets in":  {[]Result{res("s1", at(50), at(200)), {ID: "b", LastSuccess: at(500), LastAnswer: at(500)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []What
			for _, v := range Judge(row.results, dead) {
				require.Contains(t, v.String(), "a: "+string(v.What))
				got = append(got, v.What)
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestReadResultsKeepsTheLaterOfTwoReports(t *testing.T) {
	results, sum, err := ReadResults(strings.NewReader(
		`{"type":"result","id":"a","server":"s","via":"login","tries":1,"successes":1,"state":"accepted"}
{"type":"summary","credentials":1,"open":1}
{"type":"change","id":"a","server":"s","via":"login","from":"accepted","to":"refused","at":"2026-11-23T12:00:00.000Z"}
{"type":"result","id":"a","server":"s","via":"login","tries":2,"successes":1,"state":"refused"}
{"type":"summary","credentials":1,"open":0}
`))
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, 2, results[0].Tries)
	require.Zero(t, sum.Open)

	_, _, err = ReadResults(strings.NewReader("not json\n"))
	require.Error(t, err)
	_, _, err = ReadResults(io.MultiReader(strings.NewReader(""), errReader{}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.Join(io.ErrUnexpectedEOF) }
