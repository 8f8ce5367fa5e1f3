package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/protocol"
)

// checkProof reads a proof as C2SP tlog-proof describes it and checks it with
// nothing but golang.org/x/mod. It returns the extra data.
func checkProof(t *testing.T, proof, vkey string, record []byte) ([]byte, error) {
	t.Helper()
	head, checkpoint, ok := strings.Cut(proof, "\n\n")
	require.True(t, ok)
	lines := strings.Split(head, "\n")
	require.Equal(t, "c2sp.org/tlog-proof@v1", lines[0])
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	require.NoError(t, err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	require.NoError(t, err)
	var hashes tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		require.NoError(t, err)
		hashes = append(hashes, h)
	}
	n, err := note.Open([]byte(checkpoint), note.VerifierList(mustVerifier(t, vkey)))
	require.NoError(t, err)
	text := strings.Split(n.Text, "\n")
	require.Equal(t, Origin(campaign), text[0])
	size, err := strconv.ParseInt(text[1], 10, 64)
	require.NoError(t, err)
	root, err := tlog.ParseHash(text[2])
	require.NoError(t, err)
	return extra, tlog.CheckRecord(hashes, size, root, index, tlog.RecordHash(record))
}

func TestStandardCodeAcceptsAProof(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	for _, size := range []int{1, 2, 256, 257, 700} {
		_, err := l.Append(t.Context(), listedFrom(0, size))
		require.NoError(t, err)
		for _, index := range []int{0, size / 2, size - 1} {
			p, err := Prove(t.Context(), f.dir, uint64(index))
			require.NoError(t, err)
			e, err := ParseEntry(p.Entry)
			require.NoError(t, err)
			require.Equal(t, listed(index).ID, e.ID)
			extra, err := checkProof(t, p.String(), f.vkey, p.Entry)
			require.NoError(t, err)
			require.Equal(t, p.Entry, extra, "the file stands alone")
			_, err = checkProof(t, p.String(), f.vkey, []byte("another"))
			require.Error(t, err)
		}
	}
	p, err := Prove(t.Context(), f.dir, 5)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(p.String(), "c2sp.org/tlog-proof@v1\nextra "+base64.StdEncoding.EncodeToString(p.Entry)+"\nindex 5\n"))

	_, err = Prove(t.Context(), f.dir, 700)
	require.ErrorContains(t, err, "no entry 700: the ledger in "+f.dir+" has 700 entries, the first is 0")
	flip(t, f.dir, "tile/entries/000", 300)
	_, err = Prove(t.Context(), f.dir, 0)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestEntriesPrintAsOneLine(t *testing.T) {
	when := time.Date(2026, 11, 23, 16, 44, 1, 5e6, time.UTC)
	l := listed(3)
	l.Name = "uid=a\x1b[2J,dc=example,dc=org"
	d := dead(3, "ldaps://ldap-1.example.org")
	d.To = map[string]int{"kv/a#b": 4}
	o := of(3, "2", EventOpen)
	o.Step, o.Reason, o.Server, o.Detail = protocol.Prove, protocol.ReasonLagging, "ldap-2", "has not seen the change"
	for _, c := range []struct {
		entry Entry
		want  string
	}{
		{l, `     7  2026-11-23 16:44:01.005Z  listed            corp: uid=a\u001b[2J,dc=example,dc=org  kv/apps/esg-01/svc-3#password  found by inventory (roll.csv:3)`},
		{d, `     7  2026-11-23 16:44:01.005Z  outcome           corp/00000003  attempt 1  kv/a#b version 4  proof: bind  ldaps://ldap-1.example.org: old refused, new accepted`},
		{o, `     7  2026-11-23 16:44:01.005Z  open              corp/00000003  at prove, lagging, ldap-2  has not seen the change`},
		{whole(CampaignClosed, &Counts{Listed: 3, Dead: 2, Open: 1}), `     7  2026-11-23 16:44:01.005Z  campaign-closed   listed 3, excluded 0, dead 2, open 1`},
	} {
		c.entry.At = when
		var b bytes.Buffer
		require.NoError(t, WriteText(&b, 7, c.entry))
		require.Equal(t, c.want+"\n", b.String())
	}
}

func TestJSONLinesAreTheBytesThatWereHashed(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	e := listed(0)
	e.Detail = `<a & b> "quoted" ` + "\u2028 é"
	_, err := l.Append(t.Context(), []Entry{e})
	require.NoError(t, err)
	p, err := Prove(t.Context(), f.dir, 0)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, WriteJSONL(&b, read(t, f.dir)[0]))
	require.Equal(t, string(p.Entry)+"\n", b.String())
	require.True(t, json.Valid(b.Bytes()))
}

func FuzzParseEntry(f *testing.F) {
	seed, err := encode(withTime(dead(1, "ldap-1")))
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte(`{"id":"x","at":"2026-11-23T16:00:00Z","campaign":"c","event":"listed","paths":[{}]}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ParseEntry(line)
		if err != nil {
			return
		}
		again, err := encode(e)
		if err != nil {
			return // longer than an entry may be, once written out
		}
		e2, err := ParseEntry(again)
		require.NoError(t, err)
		require.True(t, canonical(again, e2), "what is written is canonical: %s", again)
		_, _ = splitBundle(line)
	})
}

func TestAProofIsCheckedWithTheKeyAlone(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), listedFrom(0, 300))
	require.NoError(t, err)
	for _, index := range []uint64{0, 17, 299} {
		p, err := Prove(t.Context(), f.dir, index)
		require.NoError(t, err)
		got, err := CheckProof([]byte(p.String()), f.vkey)
		require.NoError(t, err)
		require.Equal(t, []any{campaign, index, uint64(300), listed(int(index)).ID, listed(int(index)).Paths}, []any{got.Campaign, got.Index, got.Size, got.Entry.ID, got.Entry.Paths})
	}
	p, err := Prove(t.Context(), f.dir, 17)
	require.NoError(t, err)
	text := p.String()
	other := newFixture(t)
	for name, c := range map[string]struct{ text, key, want string }{
		"another key":         {text, other.vkey, "its checkpoint"},
		"no key":              {text, "rollcall/x", "the public key"},
		"another entry":       {strings.Replace(text, base64.StdEncoding.EncodeToString(p.Entry), base64.StdEncoding.EncodeToString([]byte("{}")), 1), f.vkey, "does not lead to"},
		"another index":       {strings.Replace(text, "\nindex 17\n", "\nindex 18\n", 1), f.vkey, "does not lead to"},
		"no index":            {strings.Replace(text, "\nindex 17\n", "\nindex x\n", 1), f.vkey, "names no entry"},
		"another size":        {strings.Replace(text, "\n300\n", "\n299\n", 1), f.vkey, "its checkpoint"},
		"no checkpoint":       {strings.Split(text, "\n\n")[0], f.vkey, "no checkpoint"},
		"another version":     {strings.Replace(text, "@v1", "@v2", 1), f.vkey, "does not begin with"},
		"no entry":            {strings.Replace(text, "extra ", "extra !", 1), f.vkey, "extra line"},
		"a line that is none": {strings.Replace(text, "\nindex", "\nx\nindex", 1), f.vkey, "no hash"},
	} {
		require.NotEqual(t, text+c.key, c.text+f.vkey, name)
		_, err := CheckProof([]byte(c.text), c.key)
		require.ErrorContains(t, err, c.want, name)
	}
}

// Whatever is cut off or changed, it never shows an entry that the log has not.
func FuzzAProofShowsNothingButWhatTheLogHas(f *testing.F) {
	x := newFixture(f)
	l := x.open(f)
	_, err := l.Append(f.Context(), listedFrom(0, 20))
	require.NoError(f, err)
	p, err := Prove(f.Context(), x.dir, 5)
	require.NoError(f, err)
	f.Add([]byte(p.String()))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := CheckProof(text, x.vkey); err == nil {
			require.Less(t, got.Index, uint64(20))
			require.Equal(t, listed(int(got.Index)).ID, got.Entry.ID)
		}
	})
}
