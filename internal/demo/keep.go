package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"rollcall/internal/vault"
)

// crew is what serves campaigns while a person looks around: an engine on the
// database of the campaign that has just ended, a rotation worker and a ledger
// worker, each with the rights of its part alone.
type crew struct {
	engine  *child
	workers []*child
	address string // TEMPORAL_ADDRESS
	ui      string // URL
}

func (d *demo) startCrew(ctx context.Context) (string, error) {
	d.crew = &crew{}
	if err := d.crew.startEngine(ctx, d.Program, d.engineDir(), d.env); err != nil {
		return "", err
	}
	for _, w := range []struct {
		policy string
		args   []string
	}{
		{vault.WorkerPolicy, []string{"worker"}},
		{vault.LedgerPolicy, []string{"worker", "--role", "ledger", "--ledger-dir", d.Dir}},
	} {
		login, err := d.login(ctx, w.policy)
		if err != nil {
			return "", err
		}
		log, err := os.OpenFile(filepath.Join(d.temp, w.policy+".log"), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return "", err
		}
		cmd := d.command(append(login, "TEMPORAL_ADDRESS="+d.crew.address), w.args...)
		cmd.Stdout, cmd.Stderr = log, log
		c, err := start(cmd)
		_ = log.Close()
		if err != nil {
			return "", err
		}
		d.crew.workers = append(d.crew.workers, c)
	}
	return "engine, rotation worker, ledger worker", d.writeLookFiles()
}

func (c *crew) startEngine(ctx context.Context, program, dir string, env []string) (err error) {
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "rollcall-engine"), "-dir", dir, "-ui", "127.0.0.1:0")
	cmd.Env = env
	if c.engine, err = start(cmd); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var at struct{ Address, UI string }
		if text, err := os.ReadFile(filepath.Join(dir, "engine.json")); err == nil && json.Unmarshal(text, &at) == nil {
			c.address, c.ui = at.Address, at.UI
			return nil
		}
		select {
		case <-c.engine.exited:
			return fmt.Errorf("rollcall-engine ended at once (%s); its log is %s", c.engine.cmd.ProcessState, filepath.Join(dir, "engine.log"))
		case <-within.Done():
			return errors.Join(errors.New("rollcall-engine did not start"), within.Err())
		case <-tick.C:
		}
	}
}

// stop lets the workers go first: they still talk to the engine.
func (c *crew) stop() {
	for _, w := range c.workers {
		w.end(10 * time.Second)
	}
	if c.engine != nil {
		c.engine.end(engineStop)
	}
}

// The files that let a person look around without a secret on the screen or on
// a command line.
const (
	envFile         = "env"
	adminFile       = "ldap-admin"
	domainAdminFile = "dc-admin"
	stolenFile      = "stolen-password" // of the account that was reset once
	headerFile      = "vault-header"    // for curl -H @FILE
)

func (d *demo) writeLookFiles() error {
	env := fmt.Sprintf(`export VAULT_ADDR=%s
export VAULT_TOKEN=$(cat %q)
export TEMPORAL_ADDRESS=%s
export TEMPORAL_CONFIG_FILE=%q
export LDAPTLS_CACERT=%q
export LDAPURI=%s REPLICA=%s LDAPBASE=%s LDAPBINDDN=%s
export PATH=%q:$PATH
export ROLLCALL_FILE=%q
unset ROLLCALL_STATE_DIR VAULT_CACERT VAULT_NAMESPACE ROLLCALL_ROLE_ID ROLLCALL_SECRET_ID_FILE TEMPORAL_NAMESPACE TEMPORAL_PROFILE
%s%scd %q
`,
		d.estate.Vault.Address(), filepath.Join(d.temp, "vault", "root-token"),
		d.crew.address, filepath.Join(d.temp, "temporal.toml"),
		filepath.Join(d.temp, "ca.pem"), d.estate.Slapd.LDAPS(), d.estate.Replica.LDAPS(), d.estate.Slapd.PeopleDN(), d.estate.Slapd.AdminDN,
		filepath.Dir(d.Program), d.campaign, d.domainEnv(), d.doorsEnv(), d.temp)
	files := map[string]string{
		envFile: env,
		// ldapsearch -y takes the whole file, so it ends without a newline.
		adminFile:  d.estate.Slapd.AdminPassword,
		headerFile: "X-Vault-Token: " + d.estate.Vault.RootToken().Reveal() + "\n",
	}
	if d.noDomain == nil {
		files[domainAdminFile] = d.estate.Domain.AdminPassword
	}
	if d.singleReset() {
		files[stolenFile] = d.estate.Single.Password
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.temp, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// lookAround says how to look at each server with its usual client.
func (d *demo) lookAround() {
	s := newScreen(d.Out)
	where := "In another terminal:"
	if os.Geteuid() == 0 {
		where = "In another terminal, as root:"
	}
	s.say("\n  %s\n", s.bold("The servers stay up until Ctrl-C. "+where))
	s.say("    . %s", filepath.Join(d.temp, envFile))
	s.say("  It goes to the demo's folder, whose files the lines below name; rollcall works from any.\n")
	part := func(title string, lines ...string) {
		s.say("  %s", title)
		for _, l := range lines {
			s.say("    %s", l)
		}
		s.say("")
	}
	admin := "ldapsearch -x -LLL -y " + adminFile
	part("The directory and its replica: which passwords changed, and when?",
		admin+" '(uid=svc-esg-*)' pwdChangedTime",
		admin+" -H $REPLICA '(uid=app-*)' pwdChangedTime")
	part("Vault, with its own client or without: what consumers read now, and the version that is destroyed",
		"vault kv get kv/apps/esg-01/svc-esg-0001",
		"curl -s -H @"+headerFile+" $VAULT_ADDR/v1/kv/data/apps/esg-01/svc-esg-0001",
		"curl -s -H @"+headerFile+" $VAULT_ADDR/v1/kv/metadata/apps/esg-01/svc-esg-0001")
	part("Log in with the password that Vault shows now",
		"ldapwhoami -x -W -D "+d.estate.Slapd.AccountDN("svc-esg-0001"))
	if d.noDoors == nil {
		d.lookAtDoors(part)
	}
	if d.noDomain == nil {
		d.lookAtDomain(part)
	}
	part("Temporal, which holds references and no secret: "+d.crew.ui,
		"temporal workflow list")
	part("Rollcall: look, or run another campaign",
		"rollcall status",
		"rollcall report",
		"rollcall ledger cat",
		"rollcall run")
}
