package inventory

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/faultproxy"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// requests are those that Vault gets through a proxy.
type requests struct {
	mu   sync.Mutex
	seen []string
}

func countRequests(t *testing.T) (*requests, *ownmount.Store) {
	t.Helper()
	way, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", realVault.Address(), nil, nil)
	require.NoError(t, err)
	t.Cleanup(way.Close)
	r := &requests{}
	v := openVaultAt(t, way.URL(), realVault.RootToken().Reveal())
	way.OnRequest(func(q faultproxy.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = append(r.seen, q.Kind+" "+strings.TrimPrefix(q.Detail, "/v1/"))
	})
	return r, v
}

// take gives how many there were since it was called last: of each of the
// prefixes, and of what has none.
func (r *requests) take(prefixes ...string) (n map[string]int, rest []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = map[string]int{}
	for _, one := range r.seen {
		if i := slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(one, p) }); i >= 0 {
			n[prefixes[i]]++
		} else {
			rest = append(rest, one)
		}
	}
	r.seen = nil
	return n, rest
}

// What a listing costs Vault is held down by counting: two reads of each secret
// (what it holds, and how Vault keeps it), one of each password that an engine
// keeps, and as many besides whatever the size.
func TestAListingAsksVaultForEachThingOnce(t *testing.T) {
	servers(t)
	r, v := countRequests(t)
	write(t, "sys/mounts/keeps-many", map[string]any{"type": "ldap"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().Unmount("keeps-many")) })
	write(t, "keeps-many/config", map[string]any{"binddn": slapd.BinderDN, "bindpass": slapd.BinderPassword, "url": slapd.LDAPS(), "certificate": slapd.CA, "userdn": slapd.PeopleDN(), "userattr": "uid"})
	folder := fmt.Sprintf("requests-%d", time.Now().UnixNano()) // the Vault is other tests' too
	keep := func(from, to int) {
		for i := from; i < to; i++ {
			uid := fmt.Sprintf("bystander%04d", i)
			write(t, "keeps-many/static-role/some/"+uid, map[string]any{"username": uid, "skip_import_rotation": true, "rotation_period": "24h"})
		}
	}
	seed := func(from, to int) {
		secrets, metadata := map[string]map[string]any{}, map[string]map[string]any{}
		for i := from; i < to; i++ {
			path := fmt.Sprintf("%s/%d", folder, i)
			secrets[path] = map[string]any{"password": "x"}
			metadata[path] = map[string]any{"account": fmt.Sprintf("esg%04d", i+1)}
		}
		require.NoError(t, realVault.SeedKV(t.Context(), secrets))
		require.NoError(t, realVault.SeedMetadata(t.Context(), metadata))
	}
	c := campaign()
	c.Device = "esg-requests"
	c.Vault.Mount = "rollcall"
	c.Directories["corp"] = corp()
	c.Accept = []config.Accept{{Vault: "auth/token/policy/root", On: time.Now(), Reason: "the tests own this Vault"}}
	c.Sources = []config.Source{{Name: "vault", Type: config.VaultKV, Prefix: "kv/" + folder}}

	role, value, settings := "GET keeps-many/static-role/some/", "GET kv/data/"+folder+"/", "GET kv/metadata/"+folder+"/"
	// By how many tokens of Vault there are, and policies of theirs.
	const policy, capabilities, entity, logins = "GET sys/policies/acl/", "PUT sys/capabilities-accessor", "PUT identity/lookup/entity", "LIST auth/"
	const readers = "GET auth/" // one read of each login that is on no roll
	const accessors, lookUp = "LIST auth/token/accessors", "POST auth/token/lookup-accessor"
	dirs := openDirectory(t, corp())
	// again is how often a listing may have asked for what is remembered for
	// some seconds: mounts, and tokens.
	const remembered = 5 * time.Second
	list := func(kept *Kept, secrets int) (n map[string]int, rest []string, again int) {
		t.Helper()
		began := time.Now()
		var mu sync.Mutex
		saw := map[credential.Path]int{}
		roll, _, err := List(t.Context(), c, Authorities{
			Directories: dirs, Tokens: minted.New(v.API(), credential.VaultAuthority), Kept: kept,
			Saw: func(p credential.Path, live vault.Live, asked time.Time) {
				mu.Lock()
				defer mu.Unlock()
				saw[p]++
				assert.True(t, live.Found)
				assert.False(t, asked.Before(began.Round(0)), "%s is before %s", asked, began)
			},
		}, v, "c", time.Now())
		require.NoError(t, err)
		require.Len(t, roll.Credentials, secrets)
		for _, l := range roll.Credentials {
			require.Equal(t, 1, saw[l.Paths[0]], "what is read is handed on")
		}
		again = 1 + int(time.Since(began)/remembered)
		n, rest = r.take(role, value, settings, accessors, lookUp, policy, capabilities, entity, logins, readers)
		return n, rest, again
	}
	keep(0, 5)
	seed(0, 10)
	n, few, again := list(nil, 10)
	require.Equal(t, []int{5, 10, 10}, []int{n[role], n[value], n[settings]})
	living, err := realVault.Client().Logical().List(accessors[len("LIST "):])
	require.NoError(t, err)
	require.LessOrEqual(t, n[accessors], 2*again)
	require.LessOrEqual(t, n[lookUp], 2*again*len(living.Data["keys"].([]any)), "each token, and once more what may read")
	require.LessOrEqual(t, len(few), 25*again, "%v", few)

	keep(5, 20)
	seed(10, 50)
	n, many, again := list(nil, 50)
	require.Equal(t, []int{20, 50, 50}, []int{n[role], n[value], n[settings]})
	require.LessOrEqual(t, len(many), len(few)*again, "five times as many secrets, and nothing else is asked more often: %v", many)

	// What was read ahead is not read again, and serves one listing.
	kept := NewKept()
	kept.ttl = time.Hour
	kept.ReadAhead(t.Context(), c, v)
	n, _ = r.take(role, value, settings)
	require.Equal(t, map[string]int{role: 20}, n)
	n, _, _ = list(kept, 50)
	require.Equal(t, []int{0, 50, 50}, []int{n[role], n[value], n[settings]})
	n, _, _ = list(kept, 50)
	require.Equal(t, 20, n[role])
}
