package profile

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// house is a profile with two lines of one kind.
func house(t *testing.T) *Profile {
	t.Helper()
	var b strings.Builder
	b.WriteString("schema: rollcall.profile/1\nname: house\ntitle: A house\nreviewed: 2026-11-01\nsources: {m: {url: \"https://example.org/m\", grade: V, read: 2026-11-01}}\nlines:\n")
	for _, l := range [][2]string{{"lookup", "directory-bind"}, {"database", "database"}, {"users", "passing-user-password"}, {"admins", "passing-user-password"}, {"seal", "tls-key"}} {
		b.WriteString("  - {id: " + l[0] + ", kind: " + l[1] + ", what: x, exposed: stored, where: x, authority: device, group: 1, grade: V, sources: m}\n")
	}
	p, err := Parse("house.yaml", []byte(b.String()))
	require.NoError(t, err)
	return p
}

const answered = `device: esg-01
profile: house
by: jo@desk
on: 2026-11-28
answers:
  lookup: covered
  database:
  users: {none: "nobody logs in with a password", by: kim, on: 2026-11-27}
  admins:
    later: ask both of them
    owner: jo
    due: 2026-12-05
`

func TestAnswersSayWhoAndWhen(t *testing.T) {
	a, err := ParseAnswers("a.yaml", []byte(answered), "ESG-01", house(t))
	require.NoError(t, err)
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	require.Equal(t, []Given{
		{Line: "lookup", At: 6, Answer: credential.Covered, By: "jo@desk", On: day(28)},
		{Line: "database", At: 7, By: "jo@desk", On: day(28)},
		{Line: "users", At: 8, Answer: credential.None, Reason: "nobody logs in with a password", By: "kim", On: day(27)},
		{Line: "admins", At: 9, Answer: credential.Later, Reason: "ask both of them", Owner: "jo", Due: time.Date(2026, 12, 5, 23, 59, 59, 0, time.UTC), By: "jo@desk", On: day(28)},
	}, a.List)
	require.Nil(t, a.Of("seal"))
	require.Nil(t, (*Answers)(nil).Of("seal"))
}

func TestMistakesInAnswers(t *testing.T) {
	const secret = "Pl4nted!{}secret=+"
	for _, c := range []struct{ old, new, want string }{
		{"device: esg-01", "device: esg-02", "a.yaml:1: device: these are answers for esg-02, and the campaign is of esg-01"},
		{"profile: house", "profile: door", "a.yaml:2: profile: these answer profile door, and the campaign file names house"},
		{"  lookup:", "  lokup:", "a.yaml:6: profile house has no line lokup; did you mean lookup?"},
		{"  database:\n", "  lookup:\n", "a.yaml:7: lookup: is answered twice, first on line 6"},
		{"lookup: covered", "lookup: " + secret, "a.yaml:6: lookup: must be covered, or a mapping"},
		{"lookup: covered", "lookup: [covered]", "a.yaml:6: lookup: must be covered, or a mapping"},
		{"lookup: covered", "lookup: {covered: yes it is, none: it is not}", "a.yaml:6: lookup: none: the line is answered twice here, as covered too"},
		{"lookup: covered", "lookup: {coverd: yes}", "a.yaml:6: lookup: unknown key coverd; did you mean covered?"},
		{"lookup: covered", "lookup: {password: '" + secret + "'}", "a.yaml:6: lookup: unknown key password"},
		{"lookup: covered", "lookup: {owner: jo}", "a.yaml:6: lookup: needs one of covered, none (why) and later"},
		{"none: \"nobody logs in with a password\"", "none: ''", "a.yaml:8: users: none: say why"},
		{"none: \"nobody logs in with a password\"", "none: ", "a.yaml:8: users: none: must be text"},
		{"none: \"nobody logs in with a password\"", "none: \"see ldap://me:" + secret + "@host/\"", "a.yaml:8: users: an address with a login in it"},
		{"    owner: jo\n", "", "a.yaml:10: admins: later needs an owner"},
		{"    due: 2026-12-05\n", "", "a.yaml:10: admins: later needs a due date"},
		{"due: 2026-12-05", "due: soon", "a.yaml:12: admins: due: must be a date"},
		{"by: kim", "owner: kim", "a.yaml:8: users: owner and due go with later"},
		{"by: jo@desk\n", "", "a.yaml:5: lookup: does not say who answered and when"},
		{"answers:\n", "answer:\n", "a.yaml:5: unknown key answer; did you mean answers?"},
	} {
		require.Contains(t, answered, c.old)
		_, err := ParseAnswers("a.yaml", []byte(strings.Replace(answered, c.old, c.new, 1)), "esg-01", house(t))
		require.ErrorContains(t, err, c.want, c.new)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestWhatAnswersAndTheRollSayOfEachLine(t *testing.T) {
	p := house(t)
	a, err := ParseAnswers("a.yaml", []byte(answered), "esg-01", p)
	require.NoError(t, err)
	ref := func(line string, by credential.LineBy) []credential.LineRef {
		return []credential.LineRef{{Line: line, By: by}}
	}
	of := func(acc *credential.Accounting, line string) credential.LineAnswer {
		for _, l := range acc.Lines {
			if l.Line == line {
				return l
			}
		}
		t.Fatal(line)
		return credential.LineAnswer{}
	}
	account := func(a *Answers, now time.Time, roll ...credential.Credential) *credential.Accounting {
		return Account(p, nil, "a.yaml", a, roll, now)
	}
	ldap := credential.Credential{Kind: credential.LDAPPassword, Name: "uid=x"}

	t.Run("a kind that one line alone is of answers it by itself, and says so", func(t *testing.T) {
		roll := []credential.Credential{ldap, {Kind: credential.PostgresPassword}, {Kind: credential.LDAPPassword, Own: true}}
		acc := Account(p, nil, "a.yaml", nil, roll, noon)
		require.Equal(t, ref("lookup", credential.ByKind), roll[0].Lines)
		require.Empty(t, roll[2].Lines, "what Rollcall works with is no credential of the device")
		require.Equal(t, credential.Covered, of(acc, "lookup").Answer)
		require.Equal(t, 1, of(acc, "lookup").Matched)
		require.Equal(t, credential.Covered, of(acc, "database").Answer)
		require.Equal(t, "a.yaml", of(acc, "users").At)
		require.Len(t, acc.Open(), 3, "two lines are of one kind, and one of a kind that is not rotated")
	})
	t.Run("what only a secret says of itself answers nothing by itself", func(t *testing.T) {
		hearsay := ldap
		hearsay.Hearsay = true
		require.Contains(t, of(account(nil, noon, hearsay), "lookup").Why, "has no answer")
		hearsay.Lines = ref("lookup", credential.ByMetadata)
		got := of(account(nil, noon, hearsay), "lookup")
		require.Equal(t, credential.Unanswered, got.Answer)
		require.Contains(t, got.Why, "nothing but metadata of secrets, which the device may have written, says that 1 credential answer it")
		require.Equal(t, credential.Covered, of(account(a, noon, hearsay), "lookup").Answer, "a person agreed")
		hearsay.Lines = ref("lookup", credential.BySource)
		got = of(account(nil, noon, hearsay), "lookup")
		require.Equal(t, credential.Unanswered, got.Answer, "a person wrote the line beside a prefix, and whoever had the device wrote what is below it")
		require.Contains(t, got.Why, "write covered if that is right")
		require.Equal(t, credential.Covered, of(account(a, noon, hearsay), "lookup").Answer, "a person agreed")
		hearsay.Hearsay = false
		require.Equal(t, credential.Covered, of(account(nil, noon, hearsay), "lookup").Answer, "a directory ties it to the device as well")
	})
	t.Run("what metadata says against a person is asked, and ends no campaign that goes on without", func(t *testing.T) {
		user := credential.Credential{ID: "corp/u", Kind: credential.UserPassword, Lines: ref("users", credential.ByMetadata)}
		got := of(account(a, noon, user), "users")
		require.Equal(t, credential.Unanswered, got.Answer)
		require.False(t, got.Wrong)
		require.Contains(t, got.Why, "says none, and metadata of 1 secret in Vault, which the device may have written, says otherwise: exclude")

		roll := []credential.Credential{{ID: "corp/s", Kind: credential.LDAPPassword, Lines: append(ref("seal", credential.ByMetadata), ref("lookup", credential.BySource)...)}}
		require.Equal(t, map[string][]string{"corp/s": {"its custom_metadata names line seal, which is about a tls-key; ldap-password is none"}}, DropMisfits(p, roll))
		require.Equal(t, ref("lookup", credential.BySource), roll[0].Lines)
	})
	t.Run("answers that the roll contradicts are wrong", func(t *testing.T) {
		got := of(account(a, noon), "lookup")
		require.True(t, got.Wrong)
		require.Equal(t, "a.yaml:6", got.At)
		require.Contains(t, got.Why, "says covered, and no credential of the roll answers it")
		user := credential.Credential{Kind: credential.UserPassword, Lines: ref("users", credential.ByManifest)}
		got = of(account(a, noon, user), "users")
		require.True(t, got.Wrong)
		require.Contains(t, got.Why, "says none, and 1 credential of the roll answer it")
		seal := ldap
		seal.Lines = ref("seal", credential.BySource)
		got = of(account(a, noon, seal), "seal")
		require.True(t, got.Wrong)
		require.Contains(t, got.Why, "ldap-password is no tls-key")
		require.True(t, of(account(a, noon.AddDate(0, 0, -10)), "users").Wrong, "answered on a day that has not come")
	})
	t.Run("later holds until it falls due", func(t *testing.T) {
		due := time.Date(2026, 12, 5, 23, 59, 59, 0, time.UTC)
		require.Equal(t, credential.Later, of(account(a, due.Add(-time.Second)), "admins").Answer)
		got := of(account(a, due), "admins")
		require.Equal(t, credential.Unanswered, got.Answer)
		require.False(t, got.Wrong)
		require.Equal(t, "was left for later and fell due on 2026-12-05 (jo)", got.Why)
	})
	t.Run("lines that a newer profile has are asked", func(t *testing.T) {
		newer := *p
		newer.Reviewed = "2027-01-01"
		newer.Lines = append([]Line{{ID: "roof", Kind: credential.Session, What: "the roof"}}, p.Lines...)
		acc := Account(p, &newer, "a.yaml", a, nil, noon)
		require.Equal(t, "is new in the profile of 2027-01-01, and nobody was asked", of(acc, "roof").Why)
		require.Len(t, Account(&newer, p, "a.yaml", a, nil, noon).Lines, 6, "an older one adds nothing")
	})
	t.Run("offline the file is taken at its word", func(t *testing.T) {
		acc := AccountOffline(p, "a.yaml", a, noon)
		require.Equal(t, credential.Covered, of(acc, "lookup").Answer)
		require.Len(t, acc.Open(), 2)
	})
}

// No line is ever lost, whatever the answers and the roll say, and none counts
// as covered without a credential.
func TestEachLineIsAccountedForOnce(t *testing.T) {
	p := house(t)
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom([]string{"lookup", "database", "users", "admins", "seal", "gone"})
		roll := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) credential.Credential {
			c := credential.Credential{Kind: rapid.SampledFrom(credential.Kinds()).Draw(t, "kind"), Own: rapid.Bool().Draw(t, "own"), Hearsay: rapid.Bool().Draw(t, "hearsay")}
			for _, id := range rapid.SliceOfN(line, 0, 2).Draw(t, "lines") {
				c.Lines = append(c.Lines, credential.LineRef{Line: id, By: rapid.SampledFrom([]credential.LineBy{credential.BySource, credential.ByMetadata}).Draw(t, "by")})
			}
			return c
		}), 0, 5).Draw(t, "roll")
		a := &Answers{File: "a.yaml"}
		for _, id := range rapid.SliceOfDistinct(line, func(s string) string { return s }).Draw(t, "answered") {
			a.List = append(a.List, Given{Line: id, On: noon, Due: noon.Add(time.Hour), Answer: rapid.SampledFrom([]credential.Answer{"", credential.Covered, credential.None, credential.Later}).Draw(t, "answer")})
		}
		acc := Account(p, nil, "a.yaml", a, roll, noon)
		require.Len(t, acc.Lines, len(p.Lines))
		for i, l := range acc.Lines {
			require.Equal(t, p.Lines[i].ID, l.Line)
			switch {
			case l.Answer == credential.Covered:
				require.Positive(t, l.Credentials)
			case l.Answer == credential.None:
				require.Zero(t, l.Credentials)
			case l.Answer == credential.Unanswered:
				require.NotEmpty(t, l.Why)
			}
		}
	})
}

// What init writes is a file of answers, with what was found and the rest open.
func TestTheTemplateIsAFileOfAnswers(t *testing.T) {
	p := house(t)
	roll := []credential.Credential{{Kind: credential.LDAPPassword, Name: "uid=x"}}
	acc := Account(p, nil, "a.yaml", nil, roll, noon)
	text := Template(p, acc, map[string][]string{"lookup": {"uid=x\n  seal: covered", "b", "c", "d"}}, "esg-01", `jo "the" \desk`, noon)
	a, err := ParseAnswers("a.yaml", []byte(text), "esg-01", p)
	require.NoError(t, err, text)
	require.Len(t, a.List, len(p.Lines))
	require.Equal(t, `jo "the" \desk`, a.By)
	require.Equal(t, credential.Covered, a.Of("lookup").Answer)
	require.Equal(t, credential.Unanswered, a.Of("seal").Answer, "a name cannot answer a line")
	require.Contains(t, text, "# found: 1 credential (1 by kind, for no other line is of it)")

	// A person takes the marks away.
	text = strings.Replace(text, "  database: covered", "  database:", 1)
	text = strings.Replace(text, "seal:\n    #none: why there is none", "seal:\n    none: no door", 1)
	text = strings.Replace(text, "users:\n    #none: why there is none\n    #later: what is to be done\n    #owner: who\n    #due:", "users:\n    #none: why there is none\n    later: ask them\n    owner: kim\n    due:", 1)
	a, err = ParseAnswers("a.yaml", []byte(text), "esg-01", p)
	require.NoError(t, err, text)
	require.Equal(t, "no door", a.Of("seal").Reason)
	require.Equal(t, "kim", a.Of("users").Owner)
}

// Nothing makes ParseAnswers panic, and no message repeats a secret.
func FuzzAnswers(f *testing.F) {
	const planted = "Pl4nted!{}secret=+"
	f.Add(answered, "", "  seal")
	f.Add("device: esg-01\nprofile: house\nanswers:\n", "\n", "  seal: {none")
	f.Fuzz(func(t *testing.T, before, after, key string) {
		p := &Profile{Name: "house", Lines: []Line{{ID: "seal"}, {ID: "lookup"}}}
		for _, quote := range []string{"", `"`, "'"} {
			a, err := ParseAnswers("a.yaml", []byte(before+"\n"+key+": "+quote+planted+quote+"\n"+after), "esg-01", p)
			if (a == nil) == (err == nil) {
				t.Fatal("neither or both of answers and error")
			}
			if err != nil && strings.Contains(err.Error(), planted) {
				t.Fatalf("the message repeats the secret: %v", err)
			}
		}
	})
}
