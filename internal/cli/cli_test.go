package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/workflows"
)

// command runs one command of the program without any server.
func command(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_TOKEN", "ROLLCALL_ROLE_ID", "ROLLCALL_SECRET_ID_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	var stdout, stderr bytes.Buffer
	code = Run(context.Background(), args, Streams{In: &bytes.Buffer{}, Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestWhatCannotBeDoneIsSaidInOneLine(t *testing.T) {
	for _, row := range []struct {
		name, want string
		args       []string
	}{
		{"a slip of the pen", `rollcall has no command "rnu"; did you mean run?`, []string{"rnu"}},
		{"no such command", `rollcall has no command "frobnicate"; rollcall --help lists them`, []string{"frobnicate"}},
		{"no such command of a command", `rollcall schedule has no command "crate"; did you mean create?`, []string{"schedule", "crate"}},
		{"one word too many", `rollcall run takes no arguments, not "esg-01"`, []string{"run", "esg-01"}},
		{"no campaign file", "nowhere.yaml: no such file or directory; name another with -f", []string{"list", "-f", "nowhere.yaml"}},
		{"another format", `-o takes text or json, not "xml"`, []string{"status", "-o", "xml"}},
		{"no such ledger", "holds no ledger", []string{"report", "--ledger", t.TempDir()}},
		{"the flag of before", "worker --ledger is now worker --role ledger", []string{"worker", "--ledger", "--ledger-dir", "x"}},
		{"no such role", `--role is rotation or ledger, not "both"`, []string{"worker", "--role", "both"}},
		{"no index", `"first" is no index of an entry`, []string{"ledger", "prove", "first"}},
		{"no such role of doctor", `--as takes worker, ledger, operator, not "root"`, []string{"doctor", "--as", "root"}},
		{"both kinds of time", "give either --every or --cron", []string{"schedule", "create", "--every", "24h", "--cron", "0 0 * * *"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, out, said := command(t, row.args...)
			require.Equal(t, 1, code)
			require.Empty(t, out)
			require.Contains(t, said, row.want)
			require.Equal(t, 1, bytes.Count([]byte(said), []byte("\n")), said)
		})
	}
}

func TestEveryCommandSaysAtLengthWhatItDoesAndShowsAnExample(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				require.NotEmpty(t, sub.Long, sub.CommandPath())
				require.NotEmpty(t, sub.Example, sub.CommandPath())
			}
			look(sub)
		}
	}
	root := (&app{}).root()
	require.NotEmpty(t, root.Example)
	look(root)
	for path := range examples {
		found, _, err := root.Find(strings.Fields(path)[1:])
		require.NoError(t, err)
		require.Equal(t, path, found.CommandPath())
	}
}

func TestTheExamplesAreCommandLinesThatAreUnderstood(t *testing.T) {
	for path, text := range examples {
		for line := range strings.SplitSeq(text, "\n") {
			line, _, _ = strings.Cut(line, " |")
			line, _, _ = strings.Cut(line, " >")
			line, _, _ = strings.Cut(line, " &&")
			c, rest, err := (&app{}).root().Find(strings.Fields(line)[1:])
			require.NoError(t, err, line)
			require.Equal(t, path, c.CommandPath(), line)
			require.NoError(t, c.ParseFlags(rest), line)
		}
	}
}

func TestThePayloadKeyItselfIsNeverRepeated(t *testing.T) {
	t.Setenv("ROLLCALL_PAYLOAD_KEY", "UExBTlRFRC1QTEFOVEVELVBMQU5URUQtUExBTlRFRCE=")
	_, err := payloadKey(t.Context(), nil)
	require.ErrorContains(t, err, "never the key itself")
	require.NotContains(t, err.Error(), "UExBTlRF")
}

func TestWhatCouldNotBeCheckedHasAMarkOfItsOwn(t *testing.T) {
	var out bytes.Buffer
	a := &app{Streams: Streams{Out: &out}}
	n := a.printChecks([]doctorRow{
		{Where: "corp", What: "bind", OK: true, Detail: "bound"},
		{Where: "corp", What: "clock", OK: true, NotChecked: true, Detail: "the server's time is not shown"},
		{Where: "corp", What: "kept connections", OK: true, note: true, Detail: "they stay"},
		{Where: "corp", What: "base", Detail: "nothing", Do: "correct base"},
	})
	require.Equal(t, "3 checked, 1 wrong, 1 not checked", n.String())
	require.Equal(t, `corp
  ok           bind              bound
  not checked  clock             the server's time is not shown
  note         kept connections  they stay
  WRONG        base              nothing
                                 -> correct base
`, out.String())
}

func TestManyChecksThatSayTheSameAreOneLineAndCountedAll(t *testing.T) {
	var out bytes.Buffer
	a := &app{Streams: Streams{Out: &out}}
	var rows []doctorRow
	for i := range 101 {
		rows = append(rows, doctorRow{Where: "corp", What: "rights", Detail: fmt.Sprintf("no right on account %d", i), Do: "grant it"})
	}
	for i := range 5 {
		rows = append(rows, doctorRow{Where: "corp", What: "server", OK: true, Detail: fmt.Sprintf("server %d is in order", i)})
	}
	rows = append(rows, doctorRow{Where: "corp", What: "rights", Detail: "no right at all", Do: "grant another"})
	require.Equal(t, tally{checked: 107, wrong: 102}, a.printChecks(rows))
	require.Equal(t, `corp
  WRONG  rights  no right on account 0 (and 100 more of this kind: -o json has all)
                 -> grant it
  ok     server  server 0 is in order
  ok     server  server 1 is in order
  ok     server  server 2 is in order
  ok     server  server 3 is in order
  ok     server  server 4 is in order
  WRONG  rights  no right at all
                 -> grant another
`, out.String())
}

func TestALedgerThatCannotGrowIsWrongBeforeACampaign(t *testing.T) {
	dir := t.TempDir()
	row := ledgerFolder(doctorRow{}, filepath.Join(dir, "not", "there", "yet"), 10)
	require.True(t, row.OK, row.Detail)
	require.Contains(t, row.Detail, "MiB free")
	row = ledgerFolder(doctorRow{}, dir, 1<<40)
	require.False(t, row.OK)
	require.Contains(t, row.Do, "make room")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	row = ledgerFolder(doctorRow{}, filepath.Join(file, "ledger"), 1)
	require.False(t, row.OK)
	require.Contains(t, row.Detail, "is no folder")
}

func TestDoctorHasALineForEachCheckInAPipe(t *testing.T) {
	var out bytes.Buffer
	a := &app{Streams: Streams{Out: &out}}
	require.Equal(t, tally{checked: 3, wrong: 1}, a.printChecks([]doctorRow{
		{Where: "vault", What: "vault unsealed", OK: true, Detail: "serving"},
		{Where: "vault", What: "vault rights", Detail: "create is missing on kv/data/apps", Do: "give the token the policy"},
		{Where: "temporal", What: "connect", OK: true, Detail: "127.0.0.1:7233"},
	}))
	require.Equal(t, `vault
  ok     vault unsealed  serving
  WRONG  vault rights    create is missing on kv/data/apps
                         -> give the token the policy
temporal
  ok     connect         127.0.0.1:7233
`, out.String())
}

// A long name in one section is no reason for a column of a few letters in all.
func TestDoctorPutsWhatItSaysUnderWhatItIsAboutWhereThereIsNoRoomBeside(t *testing.T) {
	rows := []doctorRow{
		{Where: "vault", What: "policy", OK: true, Detail: "all that rollcall-worker needs, on 83 paths, and on each path of the roll"},
		{Where: "used_by", What: "reload of kv/apps/esg-01/relay", Detail: "it is not there", Do: "put it there"},
	}
	var out bytes.Buffer
	require.Equal(t, tally{checked: 2, wrong: 1}, printChecks(&out, rows, 60))
	require.Equal(t, `vault
  ok     policy
         all that rollcall-worker needs, on 83 paths, and on
         each path of the roll
used_by
  WRONG  reload of kv/apps/esg-01/relay
         it is not there
         -> put it there
`, out.String())
	out.Reset()
	printChecks(&out, rows, 100)
	require.Contains(t, out.String(), "  ok     policy                          all that rollcall-worker needs")
}

// Whoever waits is told for what, until when, and what he can do.
func TestAWaitIsExplained(t *testing.T) {
	next, until := time.Date(2026, 11, 29, 12, 43, 10, 0, time.UTC), time.Date(2026, 11, 29, 16, 40, 0, 0, time.UTC)
	st := workflows.Status{Phase: ledger.Running, Wave: 1, Waves: []workflows.WaveStatus{
		{Wave: 0, Name: "logins-to-vault", Listed: 1, Open: 1, Next: next, Until: until},
		{Wave: 1, Name: "gateway", Listed: 5, Open: 3, Next: next.Add(time.Second), Until: until},
		{Wave: 2, Name: "the rest", Listed: 40},
	}}
	text, about := waits(st, time.UTC)
	require.Equal(t, "1 open of logins-to-vault is tried again at 12:43:10Z, until 16:40:00Z at the latest; 3 open of gateway are tried again at 12:43:11Z, until 16:40:00Z at the latest; 40 begin after them; "+
		"`rollcall report` says what to do about each, and `rollcall close` leaves them open, with an owner, and ends the campaign", text)
	st.Waves[1].Next = next.Add(time.Minute)
	_, same := waits(st, time.UTC)
	require.Equal(t, about, same, "it is said once, until something has changed")
	st.Waves[1].Next = time.Time{}
	_, other := waits(st, time.UTC)
	require.NotEqual(t, about, other)
	st.Waves[0].GaveUp = &workflows.GaveUp{Reason: protocol.ReasonLedger, Detail: "no room for the ledger: /srv/ledger"}
	text, _ = waits(st, time.FixedZone("", 3600))
	require.Contains(t, text, "the last pass could not be recorded (no room for the ledger: /srv/ledger), and what is shown of the open is from before; 1 open of logins-to-vault is tried again at 13:43:10+01:00, until ")
	st.Waves[0].GaveUp.Reason = protocol.ReasonVault
	text, full := waits(st, time.UTC)
	require.Contains(t, text, "the last pass was broken off (no room")
	require.NotEqual(t, other, full)
	st.Waves[0].Ended = true
	text, _ = waits(st, time.UTC)
	require.Empty(t, text, "a pass runs")
	st.Stays, st.Open = until, 2
	text, _ = waits(st, time.UTC)
	require.Contains(t, text, "nothing more of the 2 open is tried before a person has corrected it: `rollcall relist` ")
	require.Contains(t, text, "at 2026-11-29 16:40:00Z it ends by itself", "that may be days from now")
	require.Equal(t, "2026-11-29T16:40:00.000Z", countsOnly(st).Stays)
	st.Phase = ledger.Paused
	text, _ = waits(st, time.UTC)
	require.Contains(t, text, "`rollcall resume`")
	require.Contains(t, text, "at 2026-11-29 16:40:00Z it ends by itself", "paused or not")
}

// What a login could read is counted among what is picked.
func TestAPickedPartCountsWhatLoginsReadOfItAlone(t *testing.T) {
	roll := &credential.Roll{
		Waves:       []credential.Wave{{Name: "the rest"}},
		Credentials: []credential.Credential{{ID: "corp/1", Name: "uid=a,dc=example"}, {ID: "corp/2", Name: "uid=b,dc=example"}, {ID: "vault/approle/x", Name: "approle/x"}},
		Reach:       []credential.Reach{{Login: "vault/approle/x", Reads: []string{"corp/1", "corp/2"}}, {Login: "vault/approle/y", Reads: []string{"corp/2"}}},
	}
	by := selection{config.Selection{Only: []string{"a"}}}
	got, all, err := by.of(roll)
	require.NoError(t, err)
	require.Equal(t, 3, all)
	require.Equal(t, []credential.Reach{{Login: "vault/approle/x", Reads: []string{"corp/1"}}}, got.Reach)
	require.Len(t, roll.Reach[0].Reads, 2, "the roll itself stays as it is")
}
