package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/engine"
	"rollcall/internal/listing"
	"rollcall/internal/password"
	"rollcall/internal/report"
	"rollcall/internal/vault/setup"
)

func (a *app) doctorCommand() *cobra.Command {
	var out output
	var as string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check every connection, certificate, right and clock before a campaign",
		Long: `doctor looks at Vault, Temporal and every server of every directory the way a campaign
would use them, and says of each thing that is wrong what to do. It changes
nothing. Exit code 1 if anything is wrong.

The rights in Vault are those of the role whose policy the login has, and of worker and ledger
where it has none of theirs. With --as it is said of one role what its policy would allow,
whoever asks: by a token of that policy which lives for the question, where this login may make
one (an administrator's may), or by this login itself, where it has the policy. Else the line says
that it was not checked.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			if as != "" && !slices.Contains(setup.Roles(), as) {
				return fmt.Errorf("--as takes %s, not %q", strings.Join(setup.Roles(), ", "), as)
			}
			cfg, err := config.Load(a.file)
			if err != nil {
				return err
			}
			a.warnInsecure(cfg)
			rows := a.doctor(cmd, cfg, as)
			if asJSON {
				err = printJSON(a.Out, rows)
			} else {
				_, err = fmt.Fprintln(a.Out, a.printChecks(rows))
			}
			if err != nil {
				return err
			}
			for _, r := range rows {
				if !r.OK {
					return &exit{code: exitError}
				}
			}
			return nil
		},
	}
	out.flag(c)
	c.Flags().StringVar(&as, "as", "", "worker, ledger or operator: say what that role's policy in Vault would allow")
	return c
}

// doctorRow is one thing that doctor looked at. Its JSON keys are stable.
type doctorRow struct {
	Where  string `json:"where"`
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"`
	// NotChecked: it could not be looked at. OK is true then, because nothing
	// is known to be wrong.
	NotChecked bool `json:"not_checked,omitempty"`

	note bool // nothing is wrong, and it is worth knowing before a campaign
}

func (a *app) doctor(cmd *cobra.Command, cfg *config.Campaign, as string) []doctorRow {
	ctx := cmd.Context()
	contained := listing.Contained(ctx, cfg)
	rows := []doctorRow{{Where: a.file, What: "campaign file", OK: true, Detail: fmt.Sprintf("device %s, %s, %s", cfg.Device,
		report.Plural(len(cfg.Directories), "directory", "directories"), report.Plural(len(cfg.Sources), "source", "sources"))}, checkContainment(contained, a.zoneShown())}
	s, err := a.openVault(ctx)
	if err == nil {
		defer s.close()
		var roll []credential.Credential
		listed, unlisted := s.dryRoll(ctx)
		if unlisted == nil {
			roll = listed.Credentials
		}
		for _, c := range setup.Doctor(ctx, cfg, roll, as) {
			rows = append(rows, ofVault(c))
		}
		if unlisted == nil {
			rows = append(rows, notShown(s.tellRefusing(ctx, listed))...)
			rows = append(rows, leftStaged(listed.Warnings)...)
			rows = append(rows, notThere(listed.Warnings)...)
			rows = append(rows, s.checkOwners(ctx, listed)...)
			if text := nobodySeesTo(cfg, roll); text != "" {
				rows = append(rows, doctorRow{Where: "people", What: "owners", OK: true, Detail: text, note: true})
			}
			rows = append(rows, checkMatches(listed)...)
		}
		rows = append(rows, lookedAt(roll)...)
		rows = append(rows, checkAnswers(cfg, listed, time.Now()))
		rows = append(rows, s.checkDirectories(ctx, roll)...)
		rows = append(rows, s.checkDoors(ctx, takenBy(listed))...)
		if unlisted == nil {
			rows = append(rows, doorTries(listed, listing.AtAddresses(cfg, listed.Doors).Doors, s.locks)...)
		}
		if unlisted != nil {
			rows = append(rows, notListed(unlisted, onlyWrong(slices.Clone(rows))))
		}
		rows = append(rows, s.checkOthers(ctx)...)
		rows = append(rows, a.checkTemporal(ctx, s)...)
		rows = append(rows, s.checkNotify(ctx, as)...)
		return append(rows, s.checkLedgerFolder(as, len(roll)))
	}
	for _, c := range setup.Doctor(ctx, cfg, nil, as) {
		rows = append(rows, ofVault(c))
	}
	rows = append(rows, checkAnswers(cfg, nil, time.Now()))
	return append(rows, doctorRow{Where: "directories", What: "all of them", OK: true, NotChecked: true, Detail: "their bind passwords are in Vault, which cannot be used yet: mend Vault first"})
}

func ofVault(c setup.Check) doctorRow {
	return ofCheck("vault", c)
}

func ofCheck(where string, c authority.Check) doctorRow {
	return doctorRow{Where: where, What: c.What, OK: c.OK, Detail: c.Detail, Do: c.Do, NotChecked: c.NotChecked, note: directory.IsNote(c.What)}
}

// lookedAt says how many credentials would stay open as they are listed. It is
// no fault of the surroundings, and a campaign begins all the same.
func lookedAt(roll []credential.Credential) []doctorRow {
	if len(roll) == 0 {
		return nil
	}
	left := map[credential.Problem]int{}
	n := 0
	for _, c := range roll {
		if c.Problem != "" {
			left[c.Problem]++
			n++
		}
	}
	detail := fmt.Sprintf("%s, and what their paths in Vault hold was looked at", report.Plural(len(roll), "credential", "credentials"))
	if n > 0 {
		var why []string
		for _, p := range slices.Sorted(maps.Keys(left)) {
			why = append(why, fmt.Sprintf("%d %s", left[p], p))
		}
		detail += fmt.Sprintf("; %d would stay open as listed (%s): rollcall plan says which, and what to do", n, strings.Join(why, ", "))
	}
	return []doctorRow{{Where: "roll", What: "credentials", OK: true, Detail: detail, note: n > 0}}
}

// leftStaged are values that may be in force, and that nobody but their staging
// entry has.
func leftStaged(warnings []credential.Finding) (rows []doctorRow) {
	for _, w := range warnings {
		if w.Code == credential.FindingLeftStaged {
			rows = append(rows, doctorRow{Where: "roll", What: "left staged", Detail: w.Detail, Do: "bring it to its end before anything else: its consumers may be cut off"})
		}
	}
	return rows
}

// notThere are secrets that a person's list or the campaign file names and that
// are not there.
func notThere(warnings []credential.Finding) (rows []doctorRow) {
	for _, w := range warnings {
		if w.Code == credential.FindingNewSecret {
			rows = append(rows, doctorRow{Where: "roll", What: "secret not there", Detail: w.Detail, Do: "correct the name, or say that the secret is new, before anything is set"})
		}
	}
	return rows
}

// notListed says that the roll cannot be listed. Where what is wrong already
// may be why, one line for it is enough.
func notListed(err error, wrong []doctorRow) doctorRow {
	row := doctorRow{Where: "roll", What: "listing", Detail: strings.ReplaceAll(err.Error(), "\n", "; ")}
	if len(wrong) > 0 {
		row.OK, row.NotChecked = true, true
		row.Detail = "the roll cannot be listed until what is wrong is put right: " + row.Detail
		return row
	}
	row.Do = "put this right: no campaign begins without its roll, and the paths and accounts on it were not looked at"
	return row
}

// ownMount looks whether Vault was set up for Rollcall.
func (s *session) ownMount(ctx context.Context) doctorRow {
	c := setup.OwnMount(ctx, s.store)
	return ofVault(c)
}

// checkDirectories looks at every server that the file names and that is found,
// and at the accounts of a roll, which may be nil.
func (s *session) checkDirectories(ctx context.Context, roll []credential.Credential) []doctorRow {
	var rows []doctorRow
	spec := s.cfg
	for _, name := range s.cfg.Authorities() {
		look := s.checkSystem
		if _, ok := s.cfg.Directories[name]; ok {
			look = s.checkDirectory
		}
		of, known := look(ctx, name, roll)
		rows, spec = append(rows, of...), known.Of(spec)
	}
	var misnamed *listing.NameError
	if errors.As(listing.Names(ctx, s.store, s.kinds, spec), &misnamed) {
		rows = append(rows, doctorRow{Where: misnamed.Directory, What: "name", Detail: misnamed.What, Do: misnamed.Do})
	}
	rows = append(rows, s.checkGone(ctx, spec)...)
	var twice *listing.TwiceError
	if errors.As(listing.Twice(ctx, s.kinds, spec), &twice) {
		rows = append(rows, doctorRow{Where: "directories", What: "twice", Detail: twice.What, Do: listing.MendTwice})
	}
	return rows
}

// checkGone names servers that earlier campaigns had. spec has those that were
// found.
func (s *session) checkGone(ctx context.Context, spec *config.Campaign) (rows []doctorRow) {
	for _, name := range spec.Authorities() {
		if gone, err := listing.Gone(ctx, s.store, spec, name); err == nil && len(gone) > 0 {
			rows = append(rows, doctorRow{Where: name, What: "servers before", Detail: listing.WordsOfGone(gone), Do: listing.MendGone(name, gone[0].Server)})
		}
	}
	return rows
}

// checkOthers asks each directory which servers it knows of. A listing makes a
// warning of the same, so plan does not repeat it. In a domain the check
// "servers" has said it.
func (s *session) checkOthers(ctx context.Context) (rows []doctorRow) {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Directories)) {
		if s.cfg.Directories[name].HasDomains() {
			continue
		}
		d, err := s.kinds.Directory(s.cfg, name)
		if err != nil {
			continue // said before
		}
		found, err := d.Discover(ctx)
		if err != nil {
			continue
		}
		spec := listing.Servers{Servers: map[string][]string{name: found.Servers}, Addresses: found.Addresses}.Of(s.cfg)
		row := doctorRow{Where: name, What: "all servers"}
		switch o, err := listing.Others(ctx, s.kinds, spec, name); {
		case err != nil:
			continue // its write server has its own line
		case len(o.Names) > 0:
			row.Detail, row.Do = o.Detail, listing.MendOthers+"; "+listing.AcceptOthers(name, o)
		case o.Hidden != "":
			row.OK, row.Detail = true, "not checked: "+o.Hidden
		default:
			row.OK, row.Detail = true, "the directory shows no server that the file does not name (one that only fetches changes, OpenLDAP's read-only replicas, it does not know)"
		}
		rows = append(rows, row)
	}
	return rows
}

// checkDirectory also says which servers it has looked at.
func (s *session) checkDirectory(ctx context.Context, name string, roll []credential.Credential) (rows []doctorRow, known listing.Servers) {
	d, err := s.kinds.Directory(s.cfg, name)
	if err != nil {
		return []doctorRow{{Where: name, What: "settings", Detail: err.Error(), Do: "correct the campaign file"}}, known
	}
	found, notFound := d.Discover(ctx)
	known = listing.Servers{Servers: map[string][]string{name: found.Servers}, Addresses: found.Addresses}
	if d, err = s.kinds.Directory(known.Of(s.cfg), name); err != nil {
		return []doctorRow{{Where: name, What: "discover", Detail: err.Error(), Do: "correct what names that server, or name every server and take discover out"}}, known
	}
	for _, n := range found.Notes {
		rows = append(rows, doctorRow{Where: name, What: "address", OK: true, Detail: n})
	}
	var accounts, people []string
	for _, c := range roll {
		own := s.own(c)
		// What one of a pair may do to the other is looked at by itself.
		if c.Authority == name && c.Problem == "" && c.Subject != "" && !own {
			accounts = append(accounts, c.Subject)
			if c.HandsOver() {
				people = append(people, c.Subject)
			}
		}
	}
	checks := d.Check(ctx, accounts...)
	for _, step := range d.CheckInStep(ctx) {
		at := len(checks)
		for i, k := range checks {
			if k.Server == step.Server {
				at = i + 1
			}
		}
		checks = slices.Insert(checks, at, step)
	}
	if len(people) > 0 {
		checks = append(checks, d.CheckPasswordFlags(ctx, people)...)
	}
	if !slices.ContainsFunc(checks, func(c directory.Check) bool {
		return !c.OK && (c.What == "connect" || c.What == "bind") && c.Server == d.Servers()[0]
	}) {
		checks = append(checks, d.CheckValues(ctx, s.sampleValues(ctx, name))...)
	}
	healthy := true
	for _, c := range checks {
		rows = append(rows, ofCheck(name+" "+c.Server, c))
		healthy = healthy && c.OK
	}
	switch place := s.cfg.Directories[name].Discover; {
	case place == "":
	case notFound == nil:
		rows = append(rows, doctorRow{Where: name, What: "discover", OK: true, Detail: fmt.Sprintf("%s and the file: %s", place, strings.Join(found.Servers, ", "))})
	case healthy:
		// Else what is wrong with its servers has been said.
		rows = append(rows, doctorRow{Where: name, What: "discover", Detail: notFound.Error(), Do: "until its servers are known, no campaign begins"})
	}
	return rows, known
}

// own reports whether a credential is one that Rollcall itself logs in with.
func (s *session) own(c credential.Credential) bool {
	a := s.cfg.Authority(c.Authority)
	return a != nil && slices.ContainsFunc(a.Logins(), func(l authority.Login) bool { return l.Name == c.Name || directory.SameDN(l.Name, c.Name) })
}

// checkSystem looks at an authority that is neither a directory nor Vault.
func (s *session) checkSystem(ctx context.Context, name string, roll []credential.Credential) (rows []doctorRow, known listing.Servers) {
	a, err := s.kinds.System(s.cfg, name)
	if err != nil {
		return []doctorRow{{Where: name, What: "settings", Detail: err.Error(), Do: "correct the campaign file"}}, known
	}
	found, err := a.Discover(ctx)
	if err != nil {
		return []doctorRow{{Where: name, What: "address", Detail: err.Error(), Do: "until its servers are known, no campaign begins"}}, known
	}
	known = listing.Servers{Servers: map[string][]string{name: found.Servers}, Addresses: found.Addresses}
	if a, err = s.kinds.System(known.Of(s.cfg), name); err != nil {
		return []doctorRow{{Where: name, What: "address", Detail: err.Error(), Do: "correct what names that server"}}, known
	}
	for _, n := range found.Notes {
		rows = append(rows, doctorRow{Where: name, What: "address", OK: true, Detail: n})
	}
	var subjects []string
	for _, c := range roll {
		if c.Authority == name && c.Problem == "" && c.Subject != "" && !s.own(c) {
			subjects = append(subjects, c.Subject)
		}
	}
	for _, c := range a.Check(ctx, subjects...) {
		rows = append(rows, ofCheck(name+" "+c.Server, c))
	}
	return rows, known
}

func (a *app) checkTemporal(ctx context.Context, s *session) []doctorRow {
	r := doctorRow{Where: "temporal", What: "connect"}
	err := s.connect(ctx, false)
	switch {
	case err == engine.ErrNotRunning:
		r.OK, r.Detail = true, "none is configured; rollcall run starts one on this machine"
	case err != nil:
		r.Detail, r.Do = err.Error(), "correct the TEMPORAL_ settings"
	default:
		r.OK, r.Detail = true, s.engine.Address
	}
	rows := []doctorRow{r}
	if err == nil && !s.engine.Local {
		rows = append(rows, s.checkWorkers(ctx))
	}
	return rows
}

func (s *session) checkWorkers(ctx context.Context) doctorRow {
	row := doctorRow{Where: "temporal", What: "workers"}
	seen, err := s.workersSeen(ctx)
	var missing, when []string
	for _, w := range seen {
		if time.Since(w.asked) >= polled {
			missing = append(missing, w.command)
		}
		when = append(when, time.Since(w.asked).Round(time.Second).String())
	}
	switch {
	case err != nil:
		row.Detail, row.Do = err.Error(), "correct the TEMPORAL_ settings"
	case len(missing) > 0:
		row.Detail, row.Do = "nobody would serve a campaign", "start "+quoted(missing)
	default:
		row.OK = true
		row.Detail = fmt.Sprintf("there are some to rotate, which last asked for work %s ago, and one for the ledger, %s ago; whether one was killed since then shows only %s after it asked last (its /healthz says it at once)", when[0], when[1], polled)
	}
	return row
}

// samples is how many new values are looked at: what Vault makes by a policy
// need not be alike.
const samples = 5

// sampleValues makes new values as a campaign would, for a look at what
// policies ask of them. They are set nowhere and kept nowhere. One that cannot
// be made is said elsewhere.
func (s *session) sampleValues(ctx context.Context, directory string) (out []credential.Secret) {
	p := s.cfg.Directories[directory].Password
	for range samples {
		v, err := password.New(p)
		if p.VaultPolicy != "" {
			v, err = s.store.GeneratePassword(ctx, p.VaultPolicy)
		}
		if err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}
