package door

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One table, for people and for the program.
func TestWhatTheDocsSayOfSoftwareIsWhatTheProgramGoesBy(t *testing.T) {
	text, err := os.ReadFile("../../docs/doors.md")
	require.NoError(t, err)
	names := map[string]bool{}
	rows := func(header string) (n int) {
		_, table, found := strings.Cut(string(text), "\n"+header+"\n")
		require.True(t, found, header)
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "|-") {
				return n - 1 // without the line below the header
			}
			n++
		}
		return n
	}
	require.Equal(t, len(Keepers), rows("| software | takes the old value for | what ends it | does a good login with the new one? |"))
	require.Equal(t, len(Sessions), rows("| session | lives | how to end it |"))
	for _, k := range Keepers {
		require.Contains(t, string(text), k.Row()+"\n")
		require.False(t, names[k.Name], k.Name)
		names[k.Name] = true
		for _, kind := range k.Types {
			require.Contains(t, Types, kind, k.Name)
		}
	}
	for _, s := range Sessions {
		require.Contains(t, string(text), s.Row()+"\n")
	}
}

func TestHowLongADoorKeepsAnOldValue(t *testing.T) {
	require.Equal(t, 8*time.Hour, Settings{Type: "submission"}.Keeping(), "the longest that is known of its type")
	require.Equal(t, time.Hour, Settings{Type: "submission", Software: "dovecot"}.Keeping())
	require.Equal(t, 5*time.Minute, Settings{Type: "submission", Software: "dovecot", Cache: 5 * time.Minute}.Keeping())
	require.Zero(t, Settings{Type: "https", Software: "nginx"}.Keeping(), "nobody knows")
	require.Zero(t, Settings{Type: "vault"}.Keeping())
}

func TestWhichDoorsMayKeepARefusalAndForHowLong(t *testing.T) {
	for _, row := range []struct {
		at    Settings
		lasts time.Duration
		known bool
	}{
		{Settings{Type: "imaps"}, time.Hour, true}, // Dovecot is common there
		{Settings{Type: "submission"}, time.Hour, true},
		{Settings{Type: "submission", Software: "saslauthd", Cache: time.Hour}, 0, true},
		{Settings{Type: "imaps", Software: "dovecot", Cache: 2 * time.Minute}, 2 * time.Minute, true},
		{Settings{Type: "ldaps", Software: "pcache"}, time.Hour, false},
		{Settings{Type: "postgres"}, time.Hour, false}, // PgBouncer: until somebody has it read its file again
		{Settings{Type: "ssh"}, time.Hour, false},      // SSSD: until its directory is there again
		{Settings{Type: "ssh", Software: "none"}, 0, true},
		{Settings{Type: "snmp"}, 0, true}, // nothing locks there
		{Settings{Type: "snmpv2c"}, 0, true},
	} {
		lasts, known := row.at.Refusing()
		require.Equal(t, row.lasts, lasts, "%+v", row.at)
		require.Equal(t, row.known, known, "%+v", row.at)
	}
}

// What stands behind a proxy does not make it one process.
func TestOnlyOneProcessOrNoCacheAtAllNeedsNoWaiting(t *testing.T) {
	for software, want := range map[string]time.Duration{"": 2 * time.Hour, "squid": 2 * time.Hour, "samba-dc": 2 * time.Hour, "pcache": 2 * time.Hour, KeepsNone: 0} {
		require.Contains(t, append(KeeperNames("http-proxy"), ""), software)
		require.Equal(t, want, Settings{Type: "http-proxy", Software: software}.Settles(), software)
		require.Zero(t, Settings{Type: "http-proxy", Software: software, Processes: 1}.Settles(), software)
	}
	require.Equal(t, time.Hour, Settings{Type: "https-proxy", Cache: time.Hour}.Settles())
	for _, kind := range Names() {
		require.Equal(t, strings.HasSuffix(kind, "-proxy"), Settings{Type: kind}.Settles() > 0, kind)
	}
}
