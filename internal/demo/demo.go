// Package demo is the main job on one machine, on real servers: it starts an
// estate with a compromised appliance, lets an intruder in with everything that
// the appliance knew, runs a campaign with the same commands that a person
// would use, and asks the intruder what is left to it.
//
// Everything listens on loopback and is thrown away at the end. What stays is
// the ledger, its report and what is needed to verify them, in ./rollcall-demo;
// none of it holds a secret.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
)

// Options say how the demo runs.
type Options struct {
	// Program is the rollcall executable. Its servers lie beside it.
	Program string
	// Keep leaves the servers up until ctx ends.
	Keep bool
	// ShowSingleReset resets one account of the domain once, beside the
	// campaign, and shows what that leaves to the intruder.
	ShowSingleReset bool
	// Dir takes what survives. It is made if missing; earlier demos in it stay.
	Dir string
	Out io.Writer // the last screen
	Err io.Writer // the story while it happens
}

// patience bounds the whole story. It takes seconds on an idle machine.
const patience = 15 * time.Minute

// company is what the demo plays on.
var company = estate.Options{
	Accounts: 36, Replica: true, Logs: true, Odd: true, Profile: true, AppRoles: 2, Users: 2, Bystanders: 6, Plant: true, Postgres: 6, PostgresBystanders: 2,
	Policy: lab.SlapdPolicy{
		History: 5, MinAge: 24 * time.Hour,
		// The intruder stays below it, as a careful one would: of its last
		// tries one goes to each server and to each door, and those of doors
		// count at the first server too. So does Rollcall.
		MaxFailure: 15, LockoutDuration: 15 * time.Minute,
	},
}

// waves and limits make the campaign short and its progress worth watching: a
// careful lane first, small batches after it. The deadline covers a slow
// machine; nothing waits for it here.
const waves = `waves:
  - {name: vault-logins, directory: vault, batch: 1}
  - {name: first-few, account: svc-esg-000*, batch: 3}
`

const limits = `limits: {batch: 8, parallel: 2, retry_min: 200ms, retry_max: 1s, deadline: 30s}
`

type demo struct {
	Options
	screen   *screen
	temp     string // all that is thrown away
	noDomain error  // why there is no domain; nil if there is one
	noDoors  error  // the same of the services in front of the directory
	noRelay  error  // the same of that one of them which needs root

	estate   *estate.Estate
	campaign string // campaign.yaml
	env      []string
	people   map[string]string // tokens of those whom the script plays
	raid     *raid
	crew     *crew  // with Keep
	hour     *hour  // with ShowSingleReset, if there is a domain
	past     past   // before the campaign
	more     string // of the campaign file, behind what the estate writes

	folder  string // the campaign's ledger
	state   *ledger.State
	results []intruder.Result
	summary intruder.Summary
	// What the intruder read in Vault, without what the single reset put there.
	overheard  intruder.Overheard
	readOnce   bool  // it has read that
	bystanders error // what became of them; nil if nothing
	verified   ledger.Report

	// unexpected are the ways in which it did not go as it should.
	unexpected []string
}

// Run tells the story and returns nil if it went as it should: every credential
// dead but the two that were planted, the intruder shut out of all of them and
// without any value in force, the bystanders untouched and the ledger verified.
// Whatever it returns, everything it started is stopped and its temporary
// folder is gone; a kill -9 leaves the folder.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o, screen: newScreen(o.Err)}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	err := d.tell(ctx)
	if err == nil && d.Keep {
		d.lastScreen()
		d.lookAround()
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		d.screen.say("\nstopping everything")
	}
	stopped := d.stop()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.Join(errors.New("interrupted; everything that was started is stopped"), stopped)
	case err != nil:
		return errors.Join(err, stopped)
	case !d.Keep:
		d.lastScreen()
	}
	if len(d.unexpected) > 0 {
		stopped = errors.Join(fmt.Errorf("it did not go as it should: %s", strings.Join(d.unexpected, "; ")), stopped)
	}
	return stopped
}

// prepare finds what must be there before anything is started, and whether
// there can be a domain.
func (d *demo) prepare(ctx context.Context) (err error) {
	d.noDomain, d.noDoors, d.noRelay = lab.CanStartSamba(ctx), lab.CanStartDoors(), lab.CanStartRelay()
	if err := installed(d.Program); err != nil {
		return err
	}
	if d.Dir, err = filepath.Abs(d.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return fmt.Errorf("the folder for the ledger and the report: %w; run the demo where you may write", err)
	}
	d.temp, err = os.MkdirTemp("", "rollcall-demo-")
	return err
}

func installed(program string) error {
	if _, err := os.Stat("/usr/sbin/slapd"); err != nil {
		return fmt.Errorf("OpenLDAP's server is not installed (%w): run scripts/setup.sh, or apt-get install slapd", err)
	}
	if _, err := os.Stat("/usr/lib/postgresql/15/bin/postgres"); err != nil {
		return fmt.Errorf("PostgreSQL's server is not installed (%w): run scripts/setup.sh, or apt-get install postgresql-15", err)
	}
	for _, name := range []string{"rollcall-engine", "rollcall-devvault"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(program), name)); err != nil {
			return fmt.Errorf("%s is not beside this program: run `make build`, then bin/rollcall demo (%w)", name, err)
		}
	}
	return nil
}

// tell is the story, step by step. An error ends it; what is merely not as it
// should be is kept in unexpected, so that the last screen can show all of it.
func (d *demo) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the demo gave up after %s; it needs a less busy machine", patience))
	defer cancel()
	d.screen.say("%s", d.screen.bold("Rollcall demo")+": real servers, on 127.0.0.1 only, thrown away at the end")
	domain, doors, beside := "", "", ""
	if d.noDomain == nil {
		domain = "an Active Directory domain on a Samba domain controller, which takes 10 to 30 s to set up; "
	} else {
		d.screen.say("%s", wrap("Left out: "+d.leftOut(), 0, d.screen.width))
	}
	if d.noDoors == nil {
		doors = d.doorsStarted() + " in front of it; "
	}
	for _, missing := range d.doorsLeftOut() {
		d.screen.say("%s", wrap("Left out: "+missing, 0, d.screen.width))
	}
	if d.singleReset() {
		beside = " Beside it, and not by Rollcall, " + estate.SingleReset + " is reset once, as most tools do it."
	}
	steps := []step{
		{"Start a small company", "OpenLDAP with a replica, TLS and a password policy under which a blind retry fails; " + doors + "PostgreSQL with a replica; " + domain + "Vault; " +
			"and esg-01, a mail gateway that knew some of the logins and was broken into.", d.startEstate},
		{"rollcall init", "Vault gets the key that signs the record and never leaves it, and a policy of least rights, " +
			"with which the campaign below works.", d.init},
		{"rollcall evidence", "Before all this somebody had logged in from " + thiefAddress + " with some of it, and esg-01 itself from " + deviceAddress + ". The servers' own logs " +
			"have to show that, nothing else, and the hours of which there is no log. It goes into the record.", d.evidence},
		{"rollcall answers check", "What else can such a gateway hold? Its profile asks of each line, and a campaign does not start before each " +
			"is covered by credentials, none for a reason, or left to somebody for later.", d.answers},
		{"rollcall intruder", "A process of its own that holds every value esg-01 knew and learns nothing of Rollcall. " +
			"From now on it tries them all, on every server, again and again, and reads in Vault whatever they let it read.", d.breakIn},
		{"rollcall run", "Find everything tied to esg-01, replace it, and let each server prove that it refuses the stolen value. " +
			"Two things only people can do; a script plays them here, each with a login of its own." + beside, d.rotate},
		{"Ask the intruder", "It is the judge: what the record calls dead must never have let it in since, and no value that " +
			"is in force may be one that it has read.", d.ask},
		{"Try the bystanders", "Accounts that had nothing to do with esg-01 must still have the passwords they had.", d.checkBystanders},
		{"rollcall ledger verify", "Every entry is hashed anew; public key and newest checkpoint come from Vault, not from beside the record.", d.verify},
	}
	if d.Keep {
		steps = append(steps, step{"Keep the servers up", "The engine starts again on the campaign's database, with its web UI and two workers.", d.startCrew})
	}
	for i, s := range steps {
		if err := d.screen.tell(ctx, i+1, s, &d.unexpected); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
	}
	return nil
}

func (d *demo) startEstate(ctx context.Context) (string, error) {
	o, servers, waves := company, "2 LDAP servers, 2 of PostgreSQL, Vault", waves
	if d.noDomain == nil {
		o.Domain, o.DomainBystanders, o.SingleReset = domainAccounts, domainBystanders, d.ShowSingleReset
		servers, waves = "2 LDAP servers, 2 of PostgreSQL, a domain controller, Vault", waves+domainWave
	}
	if d.noDoors == nil {
		o.Doors, o.DoorCache, o.Relay, servers = doorAccounts, doorCache, d.noRelay == nil, d.doorsStarted()+", "+servers
	}
	o.Dir = d.temp
	defer d.screen.count()()
	e, err := estate.Start(ctx, o)
	if err != nil {
		return "", err
	}
	d.estate = e
	if err := d.setEnvironment(); err != nil {
		return "", err
	}
	if err := d.before(ctx); err != nil {
		return "", err
	}
	e.Exposure, e.Containment = d.past.exposure(), d.past.containment()
	d.more = fmt.Sprintf("ledger: {dir: %q}\n\n%s\n%s\n%s", d.Dir, e.DoorsYAML(), waves, limits)
	return fmt.Sprintf("%s, %d logins that esg-01 knew, %d it did not", servers, len(d.stolen()), len(e.Bystanders)), d.writeCampaign()
}

func (d *demo) writeCampaign() (err error) {
	if d.campaign, err = d.estate.CampaignFile(nil, d.more); err != nil {
		return err
	}
	return d.listTasks()
}

// stop ends everything that still runs and removes the temporary folder. It
// may be called at any moment, once.
func (d *demo) stop() error {
	if d.raid != nil {
		d.raid.kill()
	}
	if d.crew != nil {
		d.crew.stop()
	}
	err := awaitEngine(d.engineDir())
	if d.estate != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		d.estate.Stop(ctx)
	}
	if gone := os.RemoveAll(d.temp); gone != nil {
		err = errors.Join(err, fmt.Errorf("the temporary folder holds throw-away passwords and could not be removed: %w", gone))
	}
	return errors.Join(err, d.chown())
}
