package cli

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/vault/ownmount"
)

// mailHouse are doors that greet once each of them has somebody who waits.
type mailHouse struct {
	at     []string
	met    sync.WaitGroup
	mu     sync.Mutex
	visits int
}

func newMailHouse(t *testing.T, n int) *mailHouse {
	h := &mailHouse{}
	h.met.Add(n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		h.at = append(h.at, l.Addr().String())
		var first sync.Once
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				h.mu.Lock()
				h.visits++
				h.mu.Unlock()
				first.Do(h.met.Done)
				go func() {
					defer c.Close()
					h.met.Wait()
					_, _ = c.Write([]byte("-ERR closed today\r\n"))
				}()
			}
		}()
	}
	return h
}

func (h *mailHouse) file() *config.Campaign {
	c := &config.Campaign{Doors: map[string]door.Settings{}}
	for i, at := range h.at {
		c.Doors["door-"+string(rune('a'+i))] = door.Settings{Type: "pop3", Address: at, TLS: door.ClearText, Login: "{account}", Timeout: time.Minute}
	}
	return c
}

// Each door may take a minute, so that one after the other would take an hour:
// these greet nobody before all of them are asked.
func TestDoctorAsksDoorsSideBySide(t *testing.T) {
	h := newMailHouse(t, doorsAtOnce)
	rows := (&session{cfg: h.file(), store: &ownmount.Store{}}).checkDoors(t.Context(), &credential.Containment{})
	require.Len(t, rows, doorsAtOnce)
	for i, r := range rows {
		require.Equal(t, "door door-"+string(rune('a'+i)), r.Where, "in order")
		require.NotContains(t, r.Detail, "no answer in time")
	}
}

// Another device was in foreign hands too, and is shown nothing; nor is any
// door where nobody could list which those are.
func TestDoctorAsksNoDoorAtADeviceOfAnotherCampaign(t *testing.T) {
	h := newMailHouse(t, 1)
	rows := (&session{cfg: h.file(), store: &ownmount.Store{}}).checkDoors(t.Context(), &credential.Containment{Others: map[string]string{"127.0.0.1": "vpn-02"}})
	require.Len(t, rows, 1)
	require.False(t, rows[0].OK)
	require.Contains(t, rows[0].Detail, "another device's campaign")
	rows = (&session{cfg: h.file(), store: &ownmount.Store{}}).checkDoors(t.Context(), nil)
	require.True(t, rows[0].NotChecked)
	require.Contains(t, rows[0].Detail, "was not asked")
	require.Zero(t, h.visits)
}
