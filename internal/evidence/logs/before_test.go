package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

// What is remembered of the line before changes nothing of a line.
func TestALineOfSlapdSaysTheSameWhateverCameBeforeIt(t *testing.T) {
	text := rapid.SampledFrom([]string{
		"conn=1 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=0.0.0.0:389)", `conn=1 op=0 BIND dn="uid=a,dc=x" method=128`, `conn=1 op=0 BIND dn="uid=a,dc=x" mech=SIMPLE ssf=0`,
		`conn=1 op=0 BIND dn="uid=b,dc=x" method=128`, `conn=1 op=0 BIND dn="" method=163`, `conn=1 op=0 BIND authcid="a" authzid="a"`, "conn=1 op=0 RESULT tag=97 err=0 text=",
		"slapd starting", "[ID 702911 local4.debug] conn=2 op=0 SRCH base=", ": ", "", " ",
	})
	tag := rapid.SampledFrom([]string{"h slapd[7]: ", "h slapd[78]: ", "h slapd: ", "h  slapd[7]: ", "h slapd[7]", "h: slapd[7]: ", "h sla pd[7]: ", "h a=b: ", "h slapd[7]:x: ", "other slapd[7]: ", "h sshd[7]: ", "h slapd[]: ", ""})
	at := rapid.SampledFrom([]string{"2026-11-01T00:00:00.001234+00:00 ", "2026-11-01T00:00:00+01:00 ", "2026-11-01T00:00:01Z ", "Nov  1 00:00:00 ", "2026-11-01 00:00:00 ", "<38>2026-11-01T00:00:00Z ", ""})
	rapid.Check(t, func(t *rapid.T) {
		var before slapdBefore
		for range rapid.IntRange(1, 12).Draw(t, "lines") {
			line := []byte(at.Draw(t, "at") + tag.Draw(t, "tag") + text.Draw(t, "text"))
			var alone, then slapdLine
			alone.cut(line, &slapdBefore{})
			then.cut(line, &before)
			require.True(t, alone.at.Equal(then.at))
			alone.at, then.at = time.Time{}, time.Time{}
			require.Equal(t, alone, then, "%q", line)
		}
	})
}

// A name is read to the last quote that the rest of a login's line stands
// behind, and what a name has in it says nothing of how it was let in.
func TestANameThatLooksLikeTheRestOfALineIsAName(t *testing.T) {
	for name, typed := range map[string]string{
		`cn=a" mech=SIMPLE b`:    `BIND dn="cn=a" mech=SIMPLE b" method=128`,
		`cn=a" method=163 b`:     `BIND dn="cn=a" method=163 b" method=128`,
		`cn="a"`:                 `BIND dn="cn="a"" method=128`,
		`cn=a" method=128 m" b`:  `BIND dn="cn=a" method=128 m" b" method=128`,
		`cn=a, of no method`:     `BIND dn="cn=a, of no method"`,
		strings.Repeat("a", 300): `BIND dn="` + strings.Repeat("a", 300) + `" method=128`,
	} {
		var l slapdLine
		l.cut([]byte("2026-11-01T00:00:00Z h slapd[7]: conn=1 op=0 "+typed), &slapdBefore{})
		require.Equal(t, name, l.name)
		require.Equal(t, "simple", l.method)
		require.False(t, l.named, typed)
	}
}

func TestBeyondIsTheDifferenceOfTwoMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := func(of string) time.Time {
			return time.Unix(rapid.Int64Range(-5, 5).Draw(t, of), rapid.Int64Range(0, 999_999_999).Draw(t, of+" ns"))
		}
		from, to := moment("from"), moment("to")
		d := time.Duration(rapid.Int64Range(0, int64(4*time.Second)).Draw(t, "d"))
		require.Equal(t, to.Sub(from) > d, event.Beyond(d, from, to))
	})
	long := 365 * 24 * time.Hour
	require.True(t, event.Beyond(long, time.Unix(0, 0), time.Unix(1<<40, 0)), "further apart than a Duration can say")
	require.False(t, event.Beyond(long, time.Unix(1<<40, 0), time.Unix(0, 0)))
}
