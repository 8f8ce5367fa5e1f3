package rotation

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// pool is a web page with several machines behind one address, of which one
// still takes the old value. It takes turns by connections or by requests.
type pool struct {
	machines, stale int
	byRequest       bool
	closes          bool // each connection after an answer

	mu    sync.Mutex
	turns int
	shown map[int]bool // machines that were shown the old value
}

type atMachine struct{}

func (p *pool) turn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns++
	return p.turns % p.machines
}

func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	machine, _ := r.Context().Value(atMachine{}).(int)
	if p.byRequest {
		machine = p.turn()
	}
	if p.closes {
		w.Header().Set("Connection", "close")
	}
	value := r.PostFormValue("value")
	if text, is := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); is {
		pair, _ := base64.StdEncoding.DecodeString(text)
		_, value, _ = strings.Cut(string(pair), ":")
	}
	value = strings.TrimPrefix(value+r.Header.Get("X-Api-Key"), "Bearer ")
	if value == "old" {
		p.mu.Lock()
		p.shown[machine] = true
		p.mu.Unlock()
	}
	good := value == "new" || value == "old" && machine == p.stale
	switch {
	case r.URL.Path == "/form" && good:
		http.Redirect(w, r, "/in", http.StatusSeeOther)
	case r.URL.Path == "/form":
		_, _ = fmt.Fprint(w, `<form><input type="password" name="value"></form>`)
	case good:
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// Behind one address are machines that take turns. A door that took the old
// value once is looked at often enough to meet each of them, whether the turns
// are of connections or of requests.
func TestLooksMeetEachMachineBehindAWebDoor(t *testing.T) {
	t.Parallel()
	for _, as := range []door.Auth{"", door.ByForm, door.ByHeader} {
		for _, row := range []struct {
			machines          int
			byRequest, closes bool
		}{{2, false, false}, {3, false, false}, {4, false, false}, {2, true, false}, {3, true, false}, {2, false, true}, {3, false, true}} {
			t.Run(fmt.Sprintf("auth %q, %d machines, by request %v, closing %v", as, row.machines, row.byRequest, row.closes), func(t *testing.T) {
				for stale := range row.machines {
					p := &pool{machines: row.machines, stale: stale, byRequest: row.byRequest, closes: row.closes, shown: map[int]bool{}}
					at := httptest.NewUnstartedServer(p)
					at.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
						if p.byRequest {
							return ctx
						}
						return context.WithValue(ctx, atMachine{}, p.turn())
					}
					at.Start()
					t.Cleanup(at.Close)
					var doors opened.Doors
					d, err := doors.Open(door.Settings{Type: "http", Address: strings.TrimPrefix(at.URL, "http://"), TLS: door.ClearText, Path: map[bool]string{true: "/form", false: "/"}[as == door.ByForm],
						Auth: as, Header: "X-Api-Key", Timeout: time.Minute, Form: &door.Form{Body: "value={value}", Success: door.Mark{Location: "/in"}, Failure: door.Mark{Body: "password"}}})
					require.NoError(t, err)
					with := atDoors{new: credential.NewSecret("new"), olds: []credential.Secret{credential.NewSecret("old")}}
					ev, stop := askDoor(t.Context(), asking{door: d, as: credential.DoorLogin{Door: "web", Login: "a"}, with: with, wrong: &wrongLogins{}, looks: door.MaxLooks, now: time.Now})
					require.Nil(t, stop)
					require.True(t, ev.TookOld(), "machine %d takes it; it was shown to %v: %+v", stale, p.shown, ev)
					require.Equal(t, protocol.Accepted, ev.First)
				}
			})
		}
	}
}
