package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
)

// notRun are the commands of the README that no test can run, each with why.
var notRun = map[string]string{
	"make demo":             "it builds all programs anew; internal/demo runs the demo with those that are there",
	"make test":             "this test is a part of it",
	"make demo ARGS=--keep": "it waits for Ctrl-C; internal/demo keeps one and looks around in it",
	"sudo -E make test":     "this test is a part of it",
	"make build":            "it builds what this test was given",
	"make release":          "internal/release makes one (make release-test)",

	"make demo ARGS=--show-single-reset": "internal/demo runs it",
}

// cannotRun takes a command without what is said of it.
func cannotRun(line string) bool {
	bare, _, _ := strings.Cut(line, "#")
	return notRun[strings.TrimSpace(bare)] != ""
}

// readme is its text, whose commands are carried out one after the other: those
// of blocks without a language, and those in the text.
type readme struct {
	t    *testing.T
	yaml []string // blocks
	left []string
}

func readReadme(t *testing.T) *readme {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	r := &readme{t: t}
	command := regexp.MustCompile("`((?:rollcall|vault|make|sudo|read) [^`]+)`")
	for i, part := range strings.Split("\n"+string(text), "\n```") {
		switch language, block, _ := strings.Cut(part, "\n"); {
		case i%2 == 0:
			for _, m := range command.FindAllStringSubmatch(part, -1) {
				r.left = append(r.left, strings.Join(strings.Fields(m[1]), " "))
			}
		case language == "yaml":
			r.yaml = append(r.yaml, block)
		case strings.HasPrefix(block, " "): // what a command prints
		default:
			r.left = append(r.left, strings.Split(strings.TrimSpace(block), "\n")...)
		}
	}
	r.left = slices.DeleteFunc(r.left, func(line string) bool { return line == "" })
	for command := range notRun {
		require.True(t, slices.ContainsFunc(r.left, func(line string) bool { return strings.HasPrefix(line, command) }), "the README has no command %q", command)
	}
	return r
}

// next is the next command, whole. Those that no test can run are passed over.
func (r *readme) next(begins string) string {
	r.t.Helper()
	for len(r.left) > 0 && cannotRun(r.left[0]) {
		r.left = r.left[1:]
	}
	require.NotEmpty(r.t, r.left, begins)
	line := r.left[0]
	require.True(r.t, strings.HasPrefix(line, begins), "the next command is %q, and not %q", line, begins)
	r.left = r.left[1:]
	return line
}

// shell is a person's, in a folder of the estate.
type shell struct {
	t       *testing.T
	dir     string
	before  []string // what was exported
	replace *strings.Replacer
}

func (s *shell) run(line, typed string) ran {
	s.t.Helper()
	line = s.replace.Replace(line)
	if strings.HasPrefix(line, "export ") {
		s.before = append(s.before, line)
	}
	var out, errs strings.Builder
	cmd := exec.Command("bash", "-c", strings.Join(append(slices.Clone(s.before), line), "\n"))
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.dir, strings.NewReader(typed), &out, &errs
	cmd.Env = append(environ(), "HOME="+filepath.Join(s.dir, "home"), "XDG_STATE_HOME=")
	_ = cmd.Run()
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// colleague has a command give the ledgers out, and somebody with another home
// and in another folder, with an operator's login, read the report.
func (s *shell) colleague(serve string, api *vaultapi.Client) {
	s.t.Helper()
	at := freeAddress(s.t)
	serve, _, _ = strings.Cut(serve, "#")
	serve = strings.Replace(serve, ":8443", at, 1) + " --serve-as https://" + at
	pid := strings.TrimSpace(s.ends("nohup "+serve+" > serving 2>&1 & echo $!", 0))
	said := transcriptOf(filepath.Join(s.dir, "serving"))
	requireSoon(s.t, "it is given out", said, func() bool { return strings.Contains(said.String(), "giving 1 ledger in ") })
	token, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.OperatorPolicy}})
	require.NoError(s.t, err)
	away := "mkdir -p away/home; cp campaign.yaml away; export HOME=$PWD/away/home VAULT_TOKEN=" + token.Auth.ClientToken + " VAULT_CACERT=$PWD/ca.pem; cd away; "
	for _, command := range []string{"report", "watch", "status"} {
		require.Contains(s.t, s.ends(away+"rollcall "+command, 0), "dead", command)
	}
	s.ends("kill "+pid, 0)
}

// transcriptOf is what a file has by now.
type transcriptOf string

func (f transcriptOf) String() string {
	text, _ := os.ReadFile(string(f))
	return string(text)
}

// ends runs a command that ends with one of these codes.
func (s *shell) ends(line string, codes ...int) string {
	s.t.Helper()
	r := s.run(line, "")
	require.Contains(s.t, codes, r.code, "%s\n%s%s", line, r.out, r.err)
	return r.out + r.err
}

// company is what the README's campaign file is about: two directory servers, a
// mail server in front of them, and a Vault, over TLS.
type company struct {
	slapd, replica *lab.Slapd
	mail           *lab.Dovecot
	vault          *lab.Vault
}

func stopAtEnd(t *testing.T, s interface{ Stop(context.Context) error }) {
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
}

func startCompany(t *testing.T, dir string) company {
	t.Helper()
	ctx := t.Context()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	var c company
	accounts := lab.SeedAccounts("bystander-", 2)
	for _, uid := range []string{"esg-lookup", "esg-smtp", "svc-mail"} {
		a := lab.SeedAccounts(uid, 1)[0]
		a.UID, a.Attrs = uid, map[string][]string{"description": {"for esg-01, the mail gateway"}}
		accounts = append(accounts, a)
	}
	c.slapd, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(dir, "slapd"), CA: ca, Accounts: accounts, ShowsReplicators: true})
	require.NoError(t, err)
	stopAtEnd(t, c.slapd)
	c.replica, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(dir, "replica"), CA: ca, ReplicaOf: c.slapd, ShowsReplicators: true})
	require.NoError(t, err)
	stopAtEnd(t, c.replica)
	require.NoError(t, c.replica.AwaitReplication(ctx))
	c.mail, err = lab.StartDovecot(ctx, lab.DovecotOptions{Dir: filepath.Join(dir, "dovecot"), CA: ca, Directory: c.slapd, AtOnce: true})
	require.NoError(t, err)
	stopAtEnd(t, c.mail)
	c.vault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: filepath.Join(dir, "vault"), CA: ca})
	require.NoError(t, err)
	stopAtEnd(t, c.vault)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca.PEM, 0o644))

	require.NoError(t, c.vault.SeedKV(ctx, map[string]map[string]any{
		"apps/esg-01/ldap":   {"username": "esg-lookup", "password": c.slapd.SeededPassword("esg-lookup")},
		"apps/esg-01/mail":   {"smtp_user": "esg-smtp", "smtp_password": c.slapd.SeededPassword("esg-smtp")},
		"apps/esg-01/lookup": {"password": c.slapd.SeededPassword("svc-mail")},
	}))
	require.NoError(t, c.vault.SeedMetadata(ctx, map[string]map[string]any{"apps/esg-01/lookup": {"account": "svc-mail"}}))
	api := c.vault.Client().Logical()
	write := func(path string, data map[string]any) map[string]any {
		got, err := api.Write(path, data)
		require.NoError(t, err, path)
		if got == nil {
			return nil
		}
		return got.Data
	}
	require.NoError(t, c.vault.Client().Sys().PutPolicy("esg", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`))
	write("auth/approle/role/esg-01-gateway", map[string]any{"token_ttl": "1h", "token_policies": "esg"})
	secret := write("auth/approle/role/esg-01-gateway/secret-id", nil)["secret_id"]
	require.NoError(t, c.vault.SeedKV(ctx, map[string]map[string]any{"apps/esg-01/gateway": {"secret_id": secret}}))
	require.NoError(t, c.vault.SeedMetadata(ctx, map[string]map[string]any{"apps/esg-01/gateway": {"account": "approle/esg-01-gateway", "directory": "vault", "field": "secret_id"}}))
	return c
}

// person makes one who logs in to Vault and may do tasks, and returns a token.
func (c company) person(t *testing.T, name string) string {
	t.Helper()
	api := c.vault.Client()
	require.NoError(t, api.Sys().EnableAuthWithOptions("userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	_, err := api.Logical().Write("auth/userpass/users/"+name, map[string]any{"password": "not-a-secret", "token_policies": vault.TasksPolicy})
	require.NoError(t, err)
	in, err := api.Logical().Write("auth/userpass/login/"+name, map[string]any{"password": "not-a-secret"})
	require.NoError(t, err)
	return in.Auth.ClientToken
}

// takesSeeded says of each directory server whether it takes the value that an
// account was seeded with.
func (c company) takesSeeded(t *testing.T, uid string) (takes []bool) {
	t.Helper()
	for _, server := range []string{c.slapd.LDAPS(), c.replica.LDAPS()} {
		value := credential.NewSecret(c.slapd.SeededPassword(uid))
		takes = append(takes, binds(t, &estate.Estate{Slapd: c.slapd}, server, c.slapd.AccountDN(uid), value))
	}
	return takes
}

// answerAll does what a person does with the questions: where the sources have
// found what may be a line, it is said there, and the rest has an answer.
func (s *shell) answerAll() {
	s.t.Helper()
	file := filepath.Join(s.dir, "campaign.yaml")
	text, err := os.ReadFile(file)
	require.NoError(s.t, err)
	written := string(text)
	for _, source := range []string{"prefix: kv/apps/esg-01\n", "filter: (description=*esg-01*)\n"} {
		require.Contains(s.t, written, source)
		written = strings.Replace(written, source, source+"    line: ldap-lookup\n", 1)
	}
	require.NoError(s.t, os.WriteFile(file, []byte(written), 0o600))

	r := s.run("rollcall answers check -o json", "")
	require.Equal(s.t, 1, r.code)
	acc := decode[credential.Accounting](s.t, r.out)
	var b strings.Builder
	fmt.Fprintf(&b, "device: %s\nprofile: %s\nby: jo@admin1\non: 2026-11-28\n\nanswers:\n", estate.Device, acc.Profile)
	for _, l := range acc.Lines {
		require.Empty(s.t, l.May, "%s is answered by a source", l.Line)
		if l.Answer != credential.Covered {
			fmt.Fprintf(&b, "  %s: {none: somebody looked and there is none}\n", l.Line)
		}
	}
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "answers.yaml"), []byte(b.String()), 0o600))
}

// Each command of the README, from the first screen to the end, as it stands
// there, in its order, with its campaign file.
func TestEachCommandOfTheReadmeRunsInItsOrder(t *testing.T) {
	t.Parallel()
	r := readReadme(t)
	require.Len(t, r.yaml, 3)
	dir := t.TempDir()
	for _, folder := range []string{"bin", "home", "dovecot"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o755))
	}
	c := startCompany(t, dir)
	self, err := os.Executable()
	require.NoError(t, err)
	engine, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(binary), "rollcall-engine"))
	require.NoError(t, err)
	for name, to := range map[string]string{"rollcall": binary, "rollcall-engine": engine, "vault": self} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, "bin", name)))
	}
	at := strings.NewReplacer(
		"https://vault.example.org:8200", c.vault.Address(),
		"ldaps://ldap1.example.org # ", c.slapd.LDAPS()+" # ", "ldaps://ldap2.example.org", c.replica.LDAPS(),
		"address: mail.example.org", "address: "+c.mail.Address("imaps"))
	s := &shell{t: t, dir: dir, replace: at}
	manifest, rows, split := strings.Cut(r.yaml[1], "# accounts.yaml")
	require.True(t, split)
	_, rows, _ = strings.Cut(rows, "\n")
	file := at.Replace(r.yaml[0] + "\n" + manifest + r.yaml[2] + "\n")
	require.NotContains(t, file, "ldap1.example.org")
	require.NotContains(t, file, "mail.example.org")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "campaign.yaml"), []byte(file), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "accounts.yaml"), []byte(rows), 0o600))

	// 1: the bind password goes into Vault once one is logged in there.
	bind := r.next("read -rs PW && ")
	for _, begins := range []string{"export PATH=", "export VAULT_ADDR="} {
		require.Zero(t, s.run(r.next(begins), "").code)
	}
	login := r.next("vault login")
	in := s.run(login, c.vault.RootToken().Reveal()+"\n")
	require.Zero(t, in.code, in.err)
	put := s.run(bind, c.slapd.BinderPassword+"\n")
	require.Zero(t, put.code, put.err)

	// 2 and 3
	s.ends(r.next("vault kv metadata put"), 0)
	s.ends(r.next("rollcall list --suggest-manifest"), 0, 2)
	suggested, err := os.ReadFile(filepath.Join(dir, "new.csv"))
	require.NoError(t, err)
	require.Contains(t, string(suggested), "directory,account,path,suggested\n")
	s.ends(r.next("rollcall init"), 0)
	alice := c.person(t, "alice")
	require.Contains(t, s.ends(r.next("rollcall contain"), 0), "isolated")
	s.ends(r.next("rollcall answers init"), 0)
	s.answerAll()
	require.Contains(t, s.ends(r.next("rollcall doctor"), 0), "0 wrong")
	listed := s.ends(r.next("rollcall list"), 0)
	for _, name := range []string{"uid=esg-lookup,", "uid=esg-smtp,", "uid=svc-mail,", "approle/esg-01-gateway", "radius"} {
		require.Contains(t, listed, name)
	}
	s.ends(r.next("rollcall plan"), 0)
	require.Contains(t, s.ends(r.next("rollcall rehearse"), 2), "nothing of the roll was touched", "exit code 2: nobody has made a place for a bogus account")
	s.ends(r.next("rollcall answers check"), 0)

	// 4, without an administrator's token
	made := s.ends(r.next("vault token create"), 0)
	token := regexp.MustCompile(`hvs\.\S+`).FindString(made)
	require.NotEmpty(t, token, made)
	require.Zero(t, s.run("vault login", token+"\n").code)
	require.Contains(t, s.ends(r.next("rollcall run --only"), 3), "tried first: 2 dead, 0 open; the others wait")
	run := r.next("rollcall run")
	require.Contains(t, s.ends(run, 2), "waits for people, and for nothing else")
	require.Contains(t, s.ends(r.next("rollcall tasks"), 0), "radius")
	done := &shell{t: t, dir: dir, replace: at, before: append(slices.Clone(s.before), "export VAULT_TOKEN="+alice)}
	for _, end := range []string{"1", "2"} {
		done.ends("rollcall tasks done radius --end "+end, 0)
	}
	require.Contains(t, s.ends(run, 0), "1 attested by people")
	s.ends(r.next("rollcall status"), 0)

	// 5
	for _, begins := range []string{"rollcall report --html", "rollcall report --csv"} {
		s.ends(r.next(begins), 0)
	}
	s.colleague(r.next("rollcall ledger serve --listen :8443"), c.vault.Client())
	for _, begins := range []string{"rollcall ledger key", "rollcall ledger anchor"} {
		s.ends(r.next(begins), 0)
	}
	for _, name := range []string{"report.html", "open.csv", "ledger.key", "anchor"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NotZero(t, info.Size(), name)
	}
	folders, err := filepath.Glob(filepath.Join(dir, "ledger", "*", "ledger.json"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	verify := regexp.MustCompile(`ledger/esg-01-\S+`).ReplaceAllString(r.next("rollcall ledger verify"), "ledger/"+filepath.Base(filepath.Dir(folders[0])))
	offline := &shell{t: t, dir: dir, replace: at, before: append(slices.Clone(s.before), "export VAULT_ADDR=http://127.0.0.1:1")}
	require.Contains(t, offline.ends(verify, 0), "VERIFIED")
	for _, line := range r.left {
		require.True(t, cannotRun(line), "this test knows nothing of the README's command %q", line)
	}
	for _, uid := range []string{"bystander-0001", "bystander-0002"} {
		require.Equal(t, []bool{true, true}, c.takesSeeded(t, uid), "nobody named it")
	}
	for _, uid := range []string{"esg-lookup", "esg-smtp", "svc-mail"} {
		require.Equal(t, []bool{false, false}, c.takesSeeded(t, uid), "its stolen value is dead")
	}
}
