package inventory

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// crowd is a directory of many accounts in memory. It understands the OR
// filters of a lookup; any other filter finds everybody.
type crowd struct {
	entries  []directory.Entry
	byUID    map[string]int
	searches int
}

func newCrowd(n int) *crowd {
	c := &crowd{byUID: map[string]int{}}
	for i := range n {
		uid := fmt.Sprintf("user%06d", i)
		c.byUID[uid] = i
		c.entries = append(c.entries, directory.Entry{
			DN: "uid=" + uid + ",ou=people," + base, ID: fmt.Sprintf("00000000-0000-4000-8000-%012x", i),
			Attrs:  map[string][]string{"uid": {uid}, "cn": {"User " + uid}, "mail": {uid + "@example.org"}, "objectClass": {"inetOrgPerson"}},
			Stored: map[string][]directory.Stored{"userPassword": {{Scheme: "SSHA"}}},
		})
	}
	return c
}

func (c *crowd) Servers() []string { return []string{"ldaps://ldap1.example.org:636"} }

var equality = regexp.MustCompile(`\((?:entryDN=)?uid=([^,)]*)`)

func (c *crowd) DomainName(context.Context, string) (string, error) { return "", nil }

func (c *crowd) Named(context.Context, string, string, []string) (e directory.Entry, found bool, err error) {
	return e, false, nil
}

func (c *crowd) Referrals(context.Context, string) (map[string][]string, error) { return nil, nil }

func (c *crowd) Contexts(context.Context, string, string) ([]directory.Context, error) {
	return nil, nil
}

func (c *crowd) Find(_ context.Context, _, _, filter string, _ []string, each func(directory.Entry) error) ([]string, error) {
	c.searches++
	if !strings.HasPrefix(filter, "(|") {
		for _, e := range c.entries {
			if err := each(e); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	for _, m := range equality.FindAllStringSubmatch(filter, -1) {
		if i, ok := c.byUID[m[1]]; ok {
			if err := each(c.entries[i]); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// 100,000 accounts, each found by a filter, named by uid in one half of a
// manifest and by DN in the other.
func TestAHundredThousandAccountsAreListedInReasonableTimeAndMemory(t *testing.T) {
	const n = 100_000
	dir := newCrowd(n)
	var csv strings.Builder
	csv.WriteString("account,path,new\n")
	for i, e := range dir.entries {
		account := e.Attrs["uid"][0]
		if i%2 == 1 {
			account = `"` + e.DN + `"`
		}
		fmt.Fprintf(&csv, "%s,kv/apps/%s#password,true\n", account, e.Attrs["uid"][0])
	}
	c := campaign()
	c.Sources = []config.Source{
		{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte(csv.String())},
		{Name: "everybody", Type: config.FromLDAP, Directory: "corp", Filter: "(objectClass=inetOrgPerson)"},
	}
	locked := &serial{crowd: dir}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	roll, warnings, err := listIn(t.Context(), c, map[string]Directory{"corp": locked}, emptyVault{}, "esg-01", began)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Len(t, roll.Credentials, n)
	for _, x := range roll.Credentials {
		require.Len(t, x.Reasons, 2)
		require.False(t, x.Adopted)
		require.Equal(t, credential.Problem(""), x.Problem)
	}
	require.Less(t, dir.searches, n/perSearch+n/namesPerSearch+10)
	t.Logf("%d accounts in %v, %d searches, %d MiB allocated in all", n, took.Round(time.Millisecond), dir.searches, (after.TotalAlloc-before.TotalAlloc)>>20)
	require.Less(t, took, 10*time.Minute)
	// A search for each name was added: who else is called so in the directory.
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4400)<<20)
}

// serial lets the lookups come one at a time.
type serial struct {
	*crowd
	mu sync.Mutex
}

func (s *serial) Find(ctx context.Context, server, base, filter string, attrs []string, each func(directory.Entry) error) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crowd.Find(ctx, server, base, filter, attrs, each)
}

// emptyVault serves every path and holds nothing.
type emptyVault struct{ Vault }

// refusing is a Vault without mounts that lets nobody read anything.
var refusing = sync.OnceValue(func() *vaultapi.Client {
	conf := vaultapi.DefaultConfig()
	conf.Address = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/auth" || r.URL.Path == "/v1/sys/mounts" {
			_, _ = w.Write([]byte(`{"data":{}}`)) // it has no mounts
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})).URL
	c, err := vaultapi.NewClient(conf)
	if err != nil {
		panic(err)
	}
	return c
})

func (emptyVault) API() *vaultapi.Client { return refusing() }

func (emptyVault) Health(ctx context.Context) (*vaultapi.HealthResponse, error) {
	return refusing().Sys().HealthWithContext(ctx)
}

func (emptyVault) Cut(_ context.Context, full string) (vault.Place, error) {
	mount, path, _ := strings.Cut(full, "/")
	return vault.Place{Mount: mount, Path: path}, nil
}

func (emptyVault) Names(context.Context, string, string, string) ([]string, error) { return nil, nil }

func (emptyVault) ReadLive(context.Context, credential.Path, int) (vault.Live, error) {
	return vault.Live{}, nil
}

func (emptyVault) Keeping(context.Context, credential.Path) (vault.Keeping, error) {
	return vault.Keeping{}, nil
}

func (emptyVault) MountKeeping(context.Context, credential.Path) (vault.Keeping, error) {
	return vault.Keeping{}, nil
}

func (emptyVault) LastRoll(context.Context, string, string, ...string) (*ownmount.LastRoll, error) {
	return nil, nil
}

func (emptyVault) OtherRolls(context.Context, string, ...string) ([]ownmount.OtherRoll, error) {
	return nil, nil
}

func (emptyVault) Leftovers(context.Context, string, string, ...string) ([]ownmount.Leftover, error) {
	return nil, nil
}

func (emptyVault) ActivatedPlaces(context.Context, []string) (map[string][]credential.Path, error) {
	return nil, nil
}

func (emptyVault) HeldSince(context.Context, ownmount.Placed, vault.Live) (bool, error) {
	return false, nil
}

func (emptyVault) HeldBefore(context.Context, *config.Campaign, credential.Path) (ownmount.LastBefore, error) {
	return ownmount.LastBefore{}, nil
}

func (emptyVault) HeldThen(context.Context, *config.Campaign, credential.Path, vault.Live) (ownmount.Then, error) {
	return ownmount.Then{}, nil
}
func (emptyVault) StolenKept(context.Context, string) (ownmount.StolenValues, error) { return nil, nil }
func (emptyVault) ReadStaged(context.Context, string) (ownmount.Staged, bool, error) {
	return ownmount.Staged{}, false, nil
}
func (emptyVault) SinceActivated(context.Context, string, credential.Path, vault.Live) (ownmount.Since, error) {
	return ownmount.NotActivated, nil
}
