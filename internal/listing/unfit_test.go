package listing

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// logins is a door that keeps the names it was asked about.
type logins struct{ names []string }

func (l *logins) Ask(_ context.Context, login string, _ credential.Secret) door.Said {
	l.names = append(l.names, login)
	return door.Said{Reply: protocol.Refused}
}

func (*logins) Software(context.Context) (string, error) { return "", nil }

// Vault counts the wrong logins of a role, and locks it.
func TestTheLookAboutNobodyShowsNoLoginThatIsSomebodys(t *testing.T) {
	for _, row := range []struct {
		at   door.Settings
		name string
	}{
		{door.Settings{Type: "vault", Auth: door.ByAppRole, Login: "7f2c-real"}, "^rollcall-nobody-[A-Z2-7]{8}$"},
		{door.Settings{Type: "imaps", Login: "{account}@example.org"}, "^rollcall-nobody-[A-Z2-7]{8}@example.org$"},
		{door.Settings{Type: "ldaps", Login: "{name}"}, "^cn=rollcall-nobody-[A-Z2-7]{8}$"},
		{door.Settings{Type: "vault", Auth: door.ByToken}, "^$"},
	} {
		l := &logins{}
		_, err := AskNobody(t.Context(), &opened.Door{Door: l}, row.at)
		require.NoError(t, err)
		require.Len(t, l.names, 1)
		require.Regexp(t, row.name, l.names[0], "%+v", row.at)
	}

}

// A listing is tried up to eight times, and each wrong login may count where
// the door passes it on. One that gave no answer is asked again, and so is each
// where a running campaign lists anew: somebody may have mended it.
func TestADoorIsAskedAboutNobodyOnceByTheListingOfACampaign(t *testing.T) {
	var answered, hungUp atomic.Int32
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, login := r.BasicAuth(); login {
			answered.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer page.Close()
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer deaf.Close()
	go func() {
		for {
			c, err := deaf.Accept()
			if err != nil {
				return
			}
			hungUp.Add(1)
			_ = c.Close()
		}
	}()
	at := func(address string) door.Settings {
		return door.Settings{Type: "http", Address: address, TLS: door.ClearText, Path: "/", Login: "{account}", Timeout: time.Minute}
	}
	spec := &config.Campaign{Doors: map[string]door.Settings{"page": at(strings.TrimPrefix(page.URL, "http://")), "deaf": at(deaf.Addr().String())}}
	var doors opened.Doors
	look := func(once string) {
		require.Empty(t, unfitDoors(t.Context(), &doors, spec, nil, map[string]bool{"page": true, "deaf": true}, nil, once))
	}
	look("esg-01-1")
	first, down := answered.Load(), hungUp.Load()
	require.EqualValues(t, 1, first)
	look("esg-01-1")
	require.Equal(t, first, answered.Load())
	require.Greater(t, hungUp.Load(), down, "it may be there again")
	look("")
	look("esg-01-2")
	require.Equal(t, first+2, answered.Load())
}
