package ledger

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// A campaign of two servers, of which a person left out the second before the
// first credential died.
func storyWithout(server string) []Entry {
	started := whole(CampaignStarted, nil)
	started.Servers = map[string][]string{"corp": {"ldap-1", "ldap-2"}}
	left := whole(ServerLeftOut, nil)
	left.Authority, left.Server, left.Actor, left.Detail = "corp", server, "operator@bastion", "its disk burnt"
	death := dead(0, "ldap-1")
	death.LeftOut = []string{server}
	return []Entry{started, listed(0), whole(RollClosed, &Counts{Listed: 1}), of(0, "1", EventIntent), left, death,
		whole(CampaignClosed, &Counts{Listed: 1, Dead: 1})}
}

func TestADeathOnFewerServersNeedsAPersonWhoLeftTheOthersOut(t *testing.T) {
	const leaving, dying = 4, 5
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"left out by name, with a reason", func(s []Entry) []Entry { return s }, 0, ""},
		{"a server of the campaign that was simply not asked", func(s []Entry) []Entry {
			s[dying].LeftOut = nil
			return append(s[:leaving:leaving], s[dying:]...)
		}, leaving, "unreachable at ldap-2"},
		{"left out by the outcome alone", func(s []Entry) []Entry { return append(s[:leaving:leaving], s[dying:]...) }, leaving, "without ldap-2, which nobody had left out"},
		{"left out when it was dead already", func(s []Entry) []Entry { s[leaving], s[dying] = s[dying], s[leaving]; return s }, leaving, "without ldap-2, which nobody had left out"},
		{"left out of another directory", func(s []Entry) []Entry { s[leaving].Authority = "plant"; return s }, dying, "without ldap-2, which nobody had left out"},
		{"left out, asked, and found to accept the stolen value", func(s []Entry) []Entry {
			s[dying].Evidence = append(s[dying].Evidence, protocol.Evidence{Server: "ldap-2", Old: protocol.Accepted})
			return s
		}, dying, "still accepts the stolen value"},
		{"left out by nobody", func(s []Entry) []Entry { s[leaving].Actor = ""; return s }, leaving, "does not say by whom and why"},
		{"left out for no reason", func(s []Entry) []Entry { s[leaving].Detail = ""; return s }, leaving, "does not say by whom and why"},
		{"the write server left out", func([]Entry) []Entry { return storyWithout("ldap-1") }, leaving, "it is the write server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(storyWithout("ldap-2")))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

func TestTheFoldTellsWhichServersWereLeftOutByWhomAndWhy(t *testing.T) {
	s := NewState()
	story := storyWithout("ldap-2")
	again := story[4]
	again.ID, again.Actor = EntryID(campaign, "", "2", ServerLeftOut), "somebody@else"
	for i, e := range append(story[:5:5], append([]Entry{again}, story[5:]...)...) {
		s.Add(uint64(i), e)
	}
	require.Equal(t, map[string][]string{"corp": {"ldap-1", "ldap-2"}}, s.Servers)
	require.Len(t, s.LeftOut, 1, "the first word counts")
	require.Equal(t, "operator@bastion", s.LeftOut[0].Actor)
	require.Equal(t, "its disk burnt", s.LeftOut[0].Reason)
	require.Equal(t, []string{"ldap-2"}, s.Credentials[0].LeftOut)

	var b bytes.Buffer
	for i, e := range story {
		require.NoError(t, WriteText(&b, uint64(i), e))
	}
	require.Regexp(t, `campaign-started .*corp is ldap-1, ldap-2`, b.String())
	require.Regexp(t, `server-left-out +corp  by operator@bastion  ldap-2  its disk burnt`, b.String())
	require.Regexp(t, `outcome .*ldap-2: left out by a person, not asked`, b.String())
}

// storyWithoutDoor: of a credential that opens two doors a person left out the
// second before it died.
func storyWithoutDoor() []Entry {
	started := whole(CampaignStarted, nil)
	started.DoorPlaces = map[string]string{"mail": "imaps://mail.example.org:993", "nas": "ftp://nas.example.org:21"}
	has := listed(0)
	has.Doors = []string{"mail", "nas"}
	left := whole(DoorLeftOut, nil)
	left.Server, left.Actor, left.Detail = "nas", "operator@bastion", "switched off on Friday"
	death := dead(0, "ldap-1")
	death.AtDoors = []protocol.DoorEvidence{{Door: "mail", At: death.Evidence[0].At, First: protocol.Accepted, Old: protocol.Refused, New: protocol.Accepted}}
	death.DoorsLeftOut = []string{"nas"}
	return []Entry{started, has, whole(RollClosed, &Counts{Listed: 1}), of(0, "1", EventIntent), left, death,
		whole(CampaignClosed, &Counts{Listed: 1, Dead: 1})}
}

func TestADeathAtFewerDoorsNeedsAPersonWhoLeftTheOthersOut(t *testing.T) {
	const leaving, dying = 4, 5
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"left out by name, with a reason", func(s []Entry) []Entry { return s }, 0, ""},
		{"a door that was simply not asked", func(s []Entry) []Entry { s[dying].DoorsLeftOut = nil; return s }, dying, "without the evidence of its doors"},
		{"left out by the outcome alone", func(s []Entry) []Entry { return append(s[:leaving:leaving], s[dying:]...) }, leaving, "without door nas, which nobody had left out"},
		{"left out when it was dead already", func(s []Entry) []Entry { s[leaving], s[dying] = s[dying], s[leaving]; return s }, leaving, "without door nas, which nobody had left out"},
		{"another door left out", func(s []Entry) []Entry { s[leaving].Server = "mail"; return s }, dying, "without door nas, which nobody had left out"},
		{"a door that there is not", func(s []Entry) []Entry { s[leaving].Server = "vpn"; return s }, leaving, "the campaign has none of that name"},
		{"left out by nobody", func(s []Entry) []Entry { s[leaving].Actor = ""; return s }, leaving, "does not say by whom and why"},
		{"a server of that name left out", func(s []Entry) []Entry { s[leaving].Event = ServerLeftOut; return s }, dying, "without door nas, which nobody had left out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(storyWithoutDoor()))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
	s := NewState()
	for i, e := range storyWithoutDoor() {
		s.Add(uint64(i), e)
	}
	require.Equal(t, []string{"nas"}, s.Credentials[0].DoorsLeftOut)
	require.Equal(t, "door nas", s.LeftOut[0].Place())
	var b bytes.Buffer
	for i, e := range storyWithoutDoor() {
		require.NoError(t, WriteText(&b, uint64(i), e))
	}
	require.Regexp(t, `door-left-out +by operator@bastion  nas  switched off on Friday`, b.String())
	require.Regexp(t, `outcome .*door nas: left out by a person, not asked`, b.String())
}

// storyWithAnother: a person went on although the second of two doors was
// another one than the campaign file says.
func storyWithAnother() []Entry {
	story := storyWithoutDoor()
	word := whole(DoorNotAsked, nil)
	word.Server, word.Actor, word.Detail = "nas", "operator@bastion", "its key is compared on Monday"
	return slices.Concat(story[:2], []Entry{word, story[2], story[3]}, story[6:])
}

func TestADoorIsNotAskedByTheWordOfAPersonThatStandsBeforeAnythingIsSet(t *testing.T) {
	const word, closed = 2, 3
	open := func(s []Entry) []Entry { s[len(s)-1].Counts = &Counts{Listed: 1, Open: 1}; return s }
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"by name, with a reason", open, 0, ""},
		{"by nobody", func(s []Entry) []Entry { s[word].Actor = ""; return open(s) }, word, "does not say by whom and why"},
		{"for nothing", func(s []Entry) []Entry { s[word].Detail = ""; return open(s) }, word, "does not say by whom and why"},
		{"a door that there is not", func(s []Entry) []Entry { s[word].Server = "vpn"; return open(s) }, word, "the campaign has none of that name"},
		{"after the roll was closed", func(s []Entry) []Entry { s[word], s[closed] = s[closed], s[word]; return open(s) }, closed, "after the roll was closed"},
		{"and it gave evidence", func(s []Entry) []Entry {
			death := storyWithoutDoor()[5]
			death.DoorsLeftOut = nil
			nas := death.AtDoors[0]
			nas.Door = "nas"
			death.AtDoors = append(slices.Clone(death.AtDoors), nas)
			return slices.Insert(s, len(s)-1, death)
		}, 5, "called dead by what door nas showed, which was not asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := audited(c.edit(storyWithAnother()))
			if c.what == "" {
				require.Empty(t, rep.Problems)
				require.True(t, quicklyWhole(open(storyWithAnother())))
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
			require.False(t, quicklyWhole(c.edit(storyWithAnother())))
		})
	}
}
