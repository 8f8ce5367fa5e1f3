package ownmount

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

// A campaign has waves that Vault knows nothing of, and its warnings are those
// of all its listings.
func TestWhatIsTakenUpHasTheNextFreeWaveAndKeepsWhatItsListingWarnedOf(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("esg-01/again", 3)
	first := credential.Finding{Code: credential.FindingNewSecret, Detail: "first"}
	roll.Warnings = []credential.Finding{first}
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	last := 0
	for _, w := range idx.Waves {
		last = max(last, w.Wave)
	}
	take := func(id string, old int, wave int, warns ...credential.Finding) Amended {
		t.Helper()
		idx, err := s.ReadIndex(t.Context(), roll.Campaign)
		require.NoError(t, err)
		p := Proposal{ID: id, Warnings: warns, Incomplete: len(warns)}
		var items []int
		if old >= 0 {
			p.Items, items = []ProposalItem{{Now: roll.Credentials[old], Old: &credential.Ref{Index: old}}}, []int{0}
		}
		_, err = s.Propose(t.Context(), idx, p)
		require.NoError(t, err)
		p, err = s.ReadProposal(t.Context(), idx, id)
		require.NoError(t, err)
		require.Equal(t, warns, p.Warnings)
		a, err := s.Amend(t.Context(), roll.Campaign, p, items, nil, wave)
		require.NoError(t, err)
		again, err := s.Amend(t.Context(), roll.Campaign, p, items, nil, wave+7)
		require.NoError(t, err)
		require.Equal(t, a, again, "repeated it is the first one")
		return a
	}
	a := take("p1", 0, 0)
	require.Equal(t, last+1, a.Waves[0].Wave, "never one that the roll has")
	second := credential.Finding{Code: credential.FindingNotTakenUp, Detail: "second"}
	a = take("p2", 1, last+3, second)
	require.Equal(t, last+3, a.Waves[0].Wave, "what goes on as it was has the one between")
	require.Equal(t, credential.Refs{{Page: 2}}, a.Changed)
	third := credential.Finding{Code: credential.FindingReader, Detail: "third"}
	a = take("p3", -1, last+4, third)
	require.Empty(t, a.Waves, "it warned of something, and nothing fits")

	idx, err = s.ReadIndex(t.Context(), roll.Campaign)
	require.NoError(t, err)
	require.Equal(t, []credential.Finding{first, second, third}, idx.Warnings)
	require.Equal(t, 3, idx.Incomplete)
	require.Equal(t, 3, idx.Listed)
	require.False(t, idx.Counts(0, 0))
	require.True(t, idx.Counts(0, 2))
	require.True(t, idx.Counts(2, 0))
}

// A login to Vault goes before what it may read, and is a login of the roll for
// whoever reads that from then on.
func TestALoginThatIsTakenUpIsInAWaveBeforeTheOthersAndAmongTheLogins(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("esg-01/found", 3)
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	plain := credential.Credential{ID: "corp/plain", Kind: credential.LDAPPassword, Authority: "corp", Subject: "plain", Name: "plain"}
	login := credential.Credential{ID: "vault/approle/nas", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/nas", Name: "nas"}
	added := credential.Credential{ID: "corp/added", Kind: credential.LDAPPassword, Authority: "corp", Subject: "added", Name: "added"}
	read := credential.Refs{{Index: 0}, {Index: 1}, {Index: 2}}
	p := Proposal{ID: "p1", Items: []ProposalItem{{Now: added}, {Now: plain, Old: &credential.Ref{Index: 1}}, {Now: login}}, Read: read}
	_, err = s.Propose(t.Context(), idx, p)
	require.NoError(t, err)
	p, err = s.ReadProposal(t.Context(), idx, "p1")
	require.NoError(t, err)
	require.Equal(t, read, p.Read)
	p.Staged = credential.Refs{{Index: 1}, {Index: 2}}
	a, err := s.Amend(t.Context(), roll.Campaign, p, []int{0, 1, 2}, nil, 20)
	require.NoError(t, err)
	require.Len(t, a.Waves, 2)
	require.Equal(t, []int{20, 21}, []int{a.Waves[0].Wave, a.Waves[1].Wave})
	require.Contains(t, a.Waves[0].Name, "logins to Vault")
	require.Len(t, a.Logins, 1)
	run := a.Waves[0].Runs[0]
	require.Equal(t, []credential.Ref{{Page: run.Page, Index: run.From}}, []credential.Ref(a.Logins))
	require.Len(t, a.Waves[0].Runs, 1)
	require.Len(t, a.Changed, 1)
	require.Len(t, a.Added, 2)
	require.Equal(t, credential.Refs{{Index: 0}, {Index: 2}}, a.Read, "what is listed anew nobody has announced")
	require.Equal(t, credential.Refs{{Index: 2}}, a.Staged)

	idx, err = s.ReadIndex(t.Context(), roll.Campaign)
	require.NoError(t, err)
	require.Contains(t, idx.Logins, a.Logins[0])
	require.Equal(t, 1, idx.FoundLogins())
	for _, is := range []struct {
		at credential.Refs
		id string
	}{{a.Logins, login.ID}, {a.Changed, plain.ID}} {
		cs, err := s.ReadRefs(t.Context(), roll.Campaign, idx.Snapshot, is.at)
		require.NoError(t, err)
		require.Equal(t, is.id, cs[0].ID)
	}
}

// Whoever takes the exclude out of the file has what came off the roll back on
// the next one, as with an exclude of the beginning.
func TestWhatCameOffTheRollForAnExcludeIsRememberedAsExcluded(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("esg-01/off", 3)
	began := len(roll.Excluded)
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	gone := roll.Credentials[1]
	x := credential.Exclusion{ID: gone.ID, Name: gone.Name, Reason: "hard-coded", Found: gone.Reasons, Kind: gone.Kind}
	p := Proposal{ID: "p1", Replaced: credential.Refs{{Index: 1}}, Excluded: []credential.Exclusion{x}}
	_, err = s.Propose(t.Context(), idx, p)
	require.NoError(t, err)
	p, err = s.ReadProposal(t.Context(), idx, "p1")
	require.NoError(t, err)
	a, err := s.Amend(t.Context(), roll.Campaign, p, nil, p.Replaced, 0)
	require.NoError(t, err)
	require.Empty(t, a.Waves)

	idx, err = s.ReadIndex(t.Context(), roll.Campaign)
	require.NoError(t, err)
	require.Equal(t, []int{2, began + 1}, []int{idx.Listed, idx.Excluded})
	require.False(t, idx.Counts(0, 1))
	last, err := s.lastRoll(t.Context(), roll.Campaign, idx)
	require.NoError(t, err)
	require.Len(t, last.Credentials, 2)
	require.Contains(t, last.Excluded, x)

	// He takes that back while the campaign runs.
	back := Proposal{ID: "p2", Items: []ProposalItem{{Now: gone}}}
	_, err = s.Amend(t.Context(), roll.Campaign, back, []int{0}, nil, 0)
	require.NoError(t, err)
	idx, err = s.ReadIndex(t.Context(), roll.Campaign)
	require.NoError(t, err)
	last, err = s.lastRoll(t.Context(), roll.Campaign, idx)
	require.NoError(t, err)
	require.Len(t, last.Credentials, 3)
	require.NotContains(t, last.Excluded, x)
}

// A source that was taken up while the campaign ran is one that the next
// campaign file has as it was: what it names no more was named by it.
func TestTheNextCampaignComparesWithTheFileByWhichTheRollWasLastListed(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("esg-01/files", 3)
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	save := func(key SpecKey, sources ...string) {
		var c config.Campaign
		for _, name := range sources {
			c.Sources = append(c.Sources, config.Source{Name: name})
		}
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, s.SaveSpec(t.Context(), key, text))
	}
	names := func() (out []string) {
		idx, err := s.ReadIndex(t.Context(), roll.Campaign)
		require.NoError(t, err)
		last, err := s.lastRoll(t.Context(), roll.Campaign, idx)
		require.NoError(t, err)
		for _, source := range last.Sources {
			out = append(out, source.Name)
		}
		return out
	}
	save(CampaignSpec(roll.Campaign), "rows")
	require.Equal(t, []string{"rows"}, names())
	p, err := s.Propose(t.Context(), idx, Proposal{ID: "p1", Items: []ProposalItem{{Now: roll.Credentials[0], Old: &credential.Ref{}}}})
	require.NoError(t, err)
	save(RelistSpec(roll.Campaign, "p1"), "rows", "tagged")
	require.Equal(t, []string{"rows"}, names(), "it was looked at, and not taken up")
	_, err = s.Amend(t.Context(), roll.Campaign, p, []int{0}, nil, 0)
	require.NoError(t, err)
	require.Equal(t, []string{"rows", "tagged"}, names())
}
