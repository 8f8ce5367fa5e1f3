package e2e

import (
	bin "encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

func TestPeopleAreHandedATemporaryPasswordAndTheStolenOneDies(t *testing.T) {
	const people = 8
	e := startEstate(t, estate.Options{Accounts: 2, Domain: 4, People: people, Bystanders: 2})
	// The help desk's tokens read what is handed over, as docs/rights.md has
	// it.
	file, err := e.CampaignFile(nil, unhurried+"accept:\n  - {vault: auth/token/policy/rollcall-handover, on: "+time.Now().UTC().Format(time.RFC3339)+", reason: the help desk}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	require.Contains(t, u.must("doctor"), "bind.dn may write pwdLastSet on 8 of 8 people's accounts")
	require.Contains(t, u.must("plan"), string(credential.UserPassword))
	require.Contains(t, u.must("list"), "kv/rollcall/handover/windows/person-0001#password (to hand over)")
	r := startRaid(t, e)
	ran := u.run("run", "-v")
	require.Zero(t, ran.code, ran.out+ran.err)
	results := r.end()

	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 2+4+people)
	requireAllDead(t, state, results)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	doc := u.must("report", "-o", "json")
	handed := map[string]string{}
	for _, h := range decode[report.Document](t, doc).HandOver {
		handed[h.Credential] = h.Path
	}
	require.Len(t, handed, people)
	secrets := map[string]string{}
	for id, p := range e.HandOver {
		l := state.Credential(id)
		require.Equal(t, protocol.ProofMetadata, l.Proof, "Vault never held it")
		require.Equal(t, p.String(), handed[id])
		require.Contains(t, ran.out, p.String()+"\n")
		require.Equal(t, 1, versions(t, e.Vault.Client(), p))
		require.True(t, staged(t, e, id).IsZero())
		temporary := live(t, e, p)
		secrets["the temporary value of "+id] = temporary.Reveal()
		requirePersonMustChange(t, e, id, temporary)
	}
	t.Run("no temporary value is anywhere but in Vault and the domain", func(t *testing.T) {
		places := map[string][]byte{"the output": []byte(ran.out + ran.err + doc)}
		for _, root := range []string{filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "ledger")} {
			collect(t, root, places)
		}
		for _, log := range []string{e.Vault.LogFile(), e.Vault.AuditFile(), e.Domain.LogFile()} {
			data, err := os.ReadFile(log)
			require.NoError(t, err)
			places[log] = data
		}
		require.Empty(t, findSecrets(places, secrets))
	})
	t.Run("the policy of the documentation hands each over once, wrapped", func(t *testing.T) { requireHandedOverOnce(t, e) })
	t.Run("the owner changes it, and the next campaign finds nothing odd in that", func(t *testing.T) {
		for id := range e.HandOver {
			s := stolenOf(e, id)
			own := credential.NewSecret("My-own-choice-" + s.Password)
			require.Error(t, changePassword(t, e, s.DN, credential.NewSecret(s.Password), own))
			require.NoError(t, changePassword(t, e, s.DN, credential.NewSecret(secrets["the temporary value of "+id]), own))
			require.True(t, binds(t, e, s.Servers[0], s.DN, own))
			require.False(t, binds(t, e, s.Servers[0], s.DN, credential.NewSecret(s.Password)))
		}
		again := u.run("run")
		require.Zero(t, again.code, again.out+again.err)
		state := u.ledger()
		for id, p := range e.HandOver {
			require.Equal(t, []credential.FindingCode{credential.FindingNeverHeld}, codes(state.Credential(id)))
			next := live(t, e, p)
			require.NotEqual(t, secrets["the temporary value of "+id], next.Reveal())
			requirePersonMustChange(t, e, id, next)
		}
	})
}

func stolenOf(e *estate.Estate, id string) intruder.Stolen {
	for _, s := range e.Stolen {
		if s.ID == id {
			return s
		}
	}
	return intruder.Stolen{}
}

// requirePersonMustChange: the stolen value is refused as wrong, and the one
// that is handed over is the one in force, which lets nobody in until it is
// changed.
func requirePersonMustChange(t *testing.T, e *estate.Estate, id string, temporary credential.Secret) {
	t.Helper()
	s := stolenOf(e, id)
	require.Equal(t, "0", domainAttr(t, e, s.DN, "pwdLastSet"))
	require.Equal(t, "0", domainAttr(t, e, s.DN, "lockoutTime"))
	conn, err := e.Domain.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.ErrorContains(t, conn.Bind(s.DN, s.Password), ", data 52e,")
	require.ErrorContains(t, conn.Bind(s.DN, temporary.Reveal()), ", data 773,")
}

// changePassword changes a password by the present one. An account that must
// change its own cannot bind, so another asks for it; the present password is
// what counts.
func changePassword(t *testing.T, e *estate.Estate, dn string, from, to credential.Secret) error {
	t.Helper()
	conn, err := e.Domain.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Bind(e.Domain.ReaderDN, e.Domain.ReaderPassword))
	quoted := func(s credential.Secret) []string {
		var out []byte
		for _, unit := range utf16.Encode([]rune(`"` + s.Reveal() + `"`)) {
			out = bin.LittleEndian.AppendUint16(out, unit)
		}
		return []string{string(out)}
	}
	req := ldap.NewModifyRequest(dn, nil)
	req.Delete("unicodePwd", quoted(from))
	req.Add("unicodePwd", quoted(to))
	return conn.Modify(req)
}

// requireHandedOverOnce gives a help desk the policy that docs/rights.md shows.
func requireHandedOverOnce(t *testing.T, e *estate.Estate) {
	page, err := os.ReadFile("../../docs/rights.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```hcl\n# rollcall-handover")
	require.True(t, found)
	policy, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	root := e.Vault.Client()
	require.NoError(t, root.Sys().PutPolicy("rollcall-handover", "#"+policy))
	token, err := root.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"rollcall-handover"}})
	require.NoError(t, err)
	desk := e.Vault.Client()
	desk.SetToken(token.Auth.ClientToken)

	var id string
	for id = range e.HandOver {
		break
	}
	p := e.HandOver[id]
	at := p.Mount + "/data/" + p.Path
	_, err = desk.Logical().Read(at)
	require.ErrorContains(t, err, "permission denied", "the help desk cannot see a value")
	_, err = desk.Logical().Read("kv/data/apps/" + estate.Device + "/svc-ad-0001")
	require.ErrorContains(t, err, "permission denied")

	desk.SetWrappingLookupFunc(func(string, string) string { return "1h" })
	wrapped, err := desk.Logical().Read(at)
	require.NoError(t, err)
	require.Nil(t, wrapped.Data)
	desk.SetWrappingLookupFunc(nil)
	_, err = desk.Logical().Write(p.Mount+"/destroy/"+p.Path, map[string]any{"versions": []int{1}})
	require.NoError(t, err, "and once it is handed over nobody can fetch it again")

	owner := e.Vault.Client() // needs nothing but the wrapping token
	owner.ClearToken()
	got, err := owner.Logical().Unwrap(wrapped.WrapInfo.Token)
	require.NoError(t, err)
	data, _ := got.Data["data"].(map[string]any)
	s := stolenOf(e, id)
	value, _ := data[p.Field].(string)
	conn, err := e.Domain.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.ErrorContains(t, conn.Bind(s.DN, value), ", data 773,")
	_, err = owner.Logical().Unwrap(wrapped.WrapInfo.Token)
	require.Error(t, err, "whoever comes second is told so")
	require.True(t, live(t, e, p).IsZero())
}
