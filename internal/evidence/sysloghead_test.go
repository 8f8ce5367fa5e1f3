package evidence

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/logs"
)

// many lines of a program, by syslog with a whole time.
func many(n int, program, text string) string {
	return strings.Repeat(hour(11).Format(time.RFC3339)+" host1 "+program+": "+text+"\n", n)
}

// A syslog is read whatever stands at its head, and a rotated file in which
// nobody logged in is no reason to read none of them.
func TestALogNeedsNoLoginAtItsHead(t *testing.T) {
	const login = "Accepted password for svc from 203.0.113.1 port 5 ssh2"
	sshd := many(1, "sshd[9]", login)
	cron, mail := many(headLines+100, "CRON[1]", "(root) CMD (x)"), many(headLines+100, "postfix/smtpd[1]", "connect from a.example[192.0.2.3]")
	own := strings.Repeat("Thu Jan  1 11:00:00 2026 [pid 2] CONNECT: Client \"192.0.2.3\"\n", headLines+100)
	in := "Thu Jan  1 12:00:00 2026 [pid 2] [svc] OK LOGIN: Client \"203.0.113.1\"\n"
	for name, row := range map[string]struct {
		files  []string
		format string
		want   string // sources: format, lines, logins
		says   string
	}{
		"behind other programs":         {files: []string{cron + sshd}, want: "sshd 2101 1"},
		"behind them, as is said":       {files: []string{cron + sshd}, format: "sshd", want: "sshd 2101 1"},
		"behind mail":                   {files: []string{mail + many(1, "postfix/smtpd[1]", "4A: client=a.example[192.0.2.3], sasl_method=PLAIN, sasl_username=svc")}, want: "postfix 2101 1"},
		"mail alone":                    {files: []string{mail}, want: "postfix 2100 0"},
		"in another file":               {files: []string{many(5, "CRON[1]", "x"), sshd}, want: "sshd 6 1"},
		"in another file behind others": {files: []string{many(5, "CRON[1]", "x"), cron + sshd}, want: "sshd 2106 1"},
		"of a server's own file":        {files: []string{own + in}, want: "vsftpd 2101 1"},
		"in none":                       {files: []string{many(5, "CRON[1]", "x")}, says: "a syslog, and no line is of a program that Rollcall reads: there are openldap ("},
		"in none, as is said":           {files: []string{cron}, format: "sshd", says: "no line is one of sshd"},
		"of another server":             {files: []string{cron}, format: "389ds", says: "hold none of 389ds with a time"},
		"of a diary with a line":        {files: []string{"dear diary\n" + sshd[:len(sshd)-60] + "\nnothing\nand nothing\n"}, says: "is no log that Rollcall reads, by its lines"},
	} {
		var files []string
		for i, text := range row.files {
			files = append(files, write(t, fmt.Sprint("log", i), text))
		}
		o := optionsFor(files...)
		o.Format, o.Zone = row.format, time.UTC
		r, err := Read(t.Context(), o)
		if row.says != "" {
			require.ErrorContains(t, err, row.says, name)
			continue
		}
		require.NoError(t, err, name)
		var got []string
		for _, s := range r.Sources {
			got = append(got, fmt.Sprint(s.Format, " ", s.Lines, " ", s.Logins))
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
		require.Len(t, r.Logs, len(files))
		for _, l := range r.Logs {
			require.Equal(t, r.Sources[0].Format, l.Format, name)
		}
	}
}

// A rotated file of a server's own is known by those beside it.
func TestARotatedFileWithoutALoginIsOfTheFormatOfTheOthers(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := dir + "/" + name
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	quiet := put("vsftpd.log.1", "Thu Jan  1 11:00:00 2026 [pid 2] CONNECT: Client \"192.0.2.3\"\n")
	with := put("vsftpd.log", "Thu Jan  1 12:00:00 2026 [pid 2] [svc] OK LOGIN: Client \"203.0.113.1\"\n")
	o := optionsFor(quiet, with)
	o.Zone = time.UTC
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Sources, 1)
	require.Equal(t, 2, r.Sources[0].Lines)
	o.Files = o.Files[:1]
	_, err = Read(t.Context(), o)
	require.ErrorContains(t, err, "is no log that Rollcall reads")
	o.Files = []File{{Path: put("vsftpd.log.2", "dear diary\n")}, {Path: with}}
	_, err = Read(t.Context(), o)
	require.ErrorContains(t, err, "vsftpd.log.2 is no log that Rollcall reads")
}

// Dovecot's own file has no host, and is no syslog.
func TestAFileOfDovecotsIsNoSyslog(t *testing.T) {
	require.False(t, logs.IsSyslog([]byte("Jan  1 11:00:00 imap-login: Info: Disconnected: x: user=<>, rip=192.0.2.1")))
}
