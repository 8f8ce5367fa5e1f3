package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/ledger"
	"rollcall/internal/paste"
	"rollcall/internal/report"
	"rollcall/workflows"
)

// reportFlags say what is shown of a ledger, and where it is written.
type reportFlags struct {
	out       output
	html, csv string // files
	dir       string
	summary   bool
}

func (a *app) reportCommand() *cobra.Command {
	f := reportFlags{out: output{csv: true}}
	c := &cobra.Command{
		Use:   "report [CAMPAIGN]",
		Short: "Show the result of a campaign, read from its ledger",
		Long: `report reads a ledger and tells how many are dead, how long it took, what stays
open and why, and by what evidence. Without CAMPAIGN it takes the latest of the
file's device that did any work; with --ledger it takes that folder and needs no campaign file.
--summary is one page for whoever answers for the incident, as text or with --html. --csv FILE (or
-o csv) has a row for each open item, for a ticket system. Times are in UTC, or in the zone of
--time-zone or TZ; JSON and CSV are always in UTC.
Exit code 1 if the ledger does not verify, whatever is printed.`,
		Args: oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error { return a.report(cmd.Context(), f, args) },
	}
	f.out.flag(c)
	c.Flags().StringVar(&f.html, "html", "", "write the report as HTML here: one self-contained file, and beyond 1,000 credentials more of them in FILE-pages beside it")
	c.Flags().StringVar(&f.csv, "csv", "", "write a row for each open item here (RFC 4180)")
	c.Flags().BoolVar(&f.summary, "summary", false, "one page, without the evidence; also of --html")
	c.Flags().StringVar(&f.dir, "ledger", "", "folder of the campaign's ledger")
	a.timeZoneFlag(c)
	return c
}

func (a *app) report(ctx context.Context, f reportFlags, args []string) error {
	asJSON, err := f.out.json()
	if err != nil {
		return err
	}
	if f.csv == "-" || f.html == "-" {
		return errors.New("--csv and --html write files, and - is none: -o csv writes to standard output; nothing was written")
	}
	asCSV := f.out.format == "csv"
	if f.summary && (asJSON || asCSV) {
		return fmt.Errorf("--summary is text or HTML, and not %s: without it, -o json has all numbers and -o csv all that is open", f.out.format)
	}
	zone, err := a.zone()
	if err != nil {
		return err
	}
	a.reads = true
	folder, err := a.findLedger(ctx, f.dir, args)
	if err != nil || f.dir == "" && missing(folder) {
		return a.noReport(ctx, args, err)
	}
	state, verified, err := readLedger(ctx, folder)
	if err != nil {
		return err
	}
	if state.OfEvidence {
		return a.reportEvidence(f, report.InZone(state, zone), folder, verified)
	}
	a.takeEvidence(ctx, folder, state, verified.VerifierKey, func(ctx context.Context, name string) (at string, found bool, why error) {
		err := a.withVault(ctx, func(s *session) error {
			at, found, why = s.fetch(ctx, name)
			return nil
		})
		return at, found, cmp.Or(err, why)
	})
	shown := report.InZone(state, zone)
	if f.html != "" {
		if f.summary {
			err = a.writeReport(f.html, func(w io.Writer) error { return report.SummaryHTML(w, shown, verified, time.Now()) })
		} else {
			err = a.writeHTML(f.html, shown, verified)
		}
		if err != nil {
			return err
		}
	}
	if f.csv != "" {
		if err := a.writeReport(f.csv, func(w io.Writer) error { return report.CSV(w, shown, verified) }); err != nil {
			return err
		}
	}
	width, _ := terminal(a.Out)
	switch {
	case asJSON:
		err = report.JSON(a.Out, state, verified)
	case asCSV:
		err = report.CSV(a.Out, shown, verified)
	case f.html != "" || f.csv != "":
	case f.summary:
		err = report.SummaryText(a.Out, shown, verified, time.Now(), width)
	default:
		err = report.Text(a.Out, shown, verified, width)
	}
	return cmp.Or(err, unproved(folder, verified))
}

// reportEvidence shows the ledger of what logs show of a device.
func (a *app) reportEvidence(f reportFlags, s *ledger.State, folder string, v report.Verification) error {
	if f.html != "" || f.csv != "" || f.summary || f.out.format == "csv" {
		return fmt.Errorf("%s is the ledger of what logs show of device %s, which is shown as text or with -o json; the report of a campaign has what was held against its roll", folder, s.Device)
	}
	var err error
	if f.out.format == "json" {
		err = report.EvidenceLedgerJSON(a.Out, s, v)
	} else {
		width, _ := terminal(a.Out)
		err = report.EvidenceLedgerText(a.Out, s, v, width)
	}
	return cmp.Or(err, unproved(folder, v))
}

// takeEvidence adds to a campaign what the ledger of its device's evidence,
// which lies beside its own, has against its roll. Of a campaign whose ledger
// is a copy of one that is elsewhere, that one is brought up to date by fetch
// first. One that cannot be believed is said, and not shown: it is signed with
// the campaign's key, since Vault has one for all ledgers, and whoever may
// write into the folder has another.
func (a *app) takeEvidence(ctx context.Context, folder string, state *ledger.State, key string, fetch func(ctx context.Context, name string) (string, bool, error)) {
	name := ledger.EvidenceOf(state.Device)
	beside := filepath.Join(filepath.Dir(folder), name)
	if filepath.Base(beside) != name { // a forged ledger may name any device
		return
	}
	if a.isFetched(folder) {
		a.fetchEvidence(ctx, beside, fetch)
	}
	for _, part := range append(partsAside(beside), beside) {
		if !missing(part) {
			a.takePart(ctx, part, state, key)
		}
	}
}

// takePart is takeEvidence of one ledger. One that has nothing of the campaign
// is passed over, whatever its key is: Vault may have been built anew between
// the two.
func (a *app) takePart(ctx context.Context, beside string, state *ledger.State, key string) {
	of, verified, err := readLedger(ctx, beside)
	if err == nil && len(verified.Problems) > 0 {
		err = fmt.Errorf("it does not verify: %s", verified.Problems[0])
	}
	if err == nil && (!of.OfEvidence || of.Device != state.Device) {
		err = errors.New("it is another ledger")
	}
	if err == nil && !slices.ContainsFunc(of.Readings, func(r *ledger.ReadLogs) bool { return r.Roll == state.Campaign }) {
		return
	}
	if err == nil && !ledger.SameKey(verified.VerifierKey, key) {
		err = errors.New("it is signed with another key than the campaign's ledger")
	}
	if err != nil {
		a.say("WARNING: what a watch found since is in %s, and is not shown: %v", beside, err)
		return
	}
	state.TakeEvidence(of)
}

// fetchEvidence brings the copy of the ledger of a device's evidence up to
// date. Where that cannot be done it says so: a copy of before, or none, is not
// all that there is.
func (a *app) fetchEvidence(ctx context.Context, copied string, fetch func(ctx context.Context, name string) (string, bool, error)) {
	_, found, why := fetch(ctx, filepath.Base(copied))
	if found || onlyNotThere(why) {
		return
	}
	if why == nil {
		why = errors.New("no ledger worker gives ledgers out now")
	}
	shows := "what logs show since is not shown"
	if !missing(copied) {
		shows = "what follows has what logs showed when it was fetched last"
	}
	a.say("WARNING: the ledger of the device's evidence, %s, is elsewhere and could not be fetched, so %s: %v", filepath.Base(copied), shows, why)
}

// unproved is the end of a command that showed what a ledger says that does not
// verify.
func unproved(folder string, v report.Verification) error {
	if len(v.Problems) == 0 {
		return nil
	}
	return &exit{exitError, fmt.Errorf("the ledger in %s does not verify, so nothing that it says is proved: rollcall ledger verify says what is wrong", folder)}
}

func missing(folder string) bool {
	_, err := os.Stat(folder)
	return errors.Is(err, fs.ErrNotExist)
}

// noReport says of a campaign whose ledger cannot be read from here where it is
// and what is known; why is what kept it from being found.
func (a *app) noReport(ctx context.Context, args []string, why error) error {
	known, err := a.knownElsewhere(ctx, args, why)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s; a report is made of nothing else. %s of %s are noted as dead in Vault (`rollcall status`). %s", known.head(), known.campaign.dead(), count(known.campaign.Listed), known.do())
}

// knownElsewhere is what is known of a campaign whose ledger cannot be read
// from here. The error is why (what kept it from being found) where nothing is
// known, or that it has none.
func (a *app) knownElsewhere(ctx context.Context, args []string, why error) (known *notHere, err error) {
	err = a.withVault(ctx, func(s *session) (err error) {
		known, err = s.whatIsKnown(ctx, args)
		return err
	})
	if err != nil {
		return nil, cmp.Or(why, err)
	}
	if known.neverBegan() {
		return nil, fmt.Errorf("campaign %s, started %s by %s: %s", known.campaign.Campaign, stampIn(known.campaign.OpenedAt, known.zone), cmp.Or(known.campaign.Actor, "somebody"), neverBegan)
	}
	return known, nil
}

// readableLedger is findLedger that says where a ledger is that cannot be read
// from here.
func (a *app) readableLedger(ctx context.Context, dir string, args []string) (string, error) {
	folder, err := a.findLedger(ctx, dir, args)
	if dir != "" || err == nil && !missing(folder) || a.cfgMissing() {
		return folder, err
	}
	known, err := a.knownElsewhere(ctx, args, err)
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s: %s", known.head(), known.do())
}

// cfgMissing: there is no campaign file, or it cannot be read, which has been
// said.
func (a *app) cfgMissing() bool {
	_, err := a.campaignFile()
	return err != nil
}

// writeReport writes a file that this user and its group can read, and says so.
func (a *app) writeReport(path string, write func(io.Writer) error) error {
	if err := writeFile(path, write); err != nil {
		return err
	}
	a.say("wrote %s", path)
	return nil
}

func (a *app) writeHTML(path string, s *ledger.State, v report.Verification) error {
	n, folder, err := htmlFiles(path, s, v)
	switch {
	case err != nil:
		return err
	case n > 1:
		a.say("wrote %s, and %s in %s: keep them together", path, report.Plural(n-1, "more file", "more files"), folder)
	default:
		a.say("wrote %s", path)
	}
	return nil
}

// htmlFiles writes a report. folder is where all but the first of its n files
// are. What is no plain file, a pipe or a link, gets all of it: nothing is
// written beside that.
func htmlFiles(path string, s *ledger.State, v report.Verification) (n int, folder string, err error) {
	n = report.FileCount(s)
	if info, err := os.Lstat(path); n == 1 || err == nil && !info.Mode().IsRegular() {
		return 1, "", writeFile(path, func(w io.Writer) error { return report.HTML(w, s, v, time.Now()) })
	}
	folder = path + "-pages"
	return n, folder, writePages(path, folder, func(files report.FilesOf, create createFile) error {
		_, err := report.HTMLFiles(s, v, time.Now(), files, create)
		return err
	})
}

func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

// readLedger folds and verifies a ledger with the key that lies beside it.
func readLedger(ctx context.Context, folder string) (*ledger.State, report.Verification, error) {
	r, err := ledger.OpenReader(folder)
	if err != nil {
		return nil, report.Verification{}, err
	}
	found, state, err := ledger.VerifyState(ctx, folder, r.VerifierKey(), nil)
	if err == nil && state == nil { // what is wrong with it is told beside what it says
		state = ledger.NewPackedState()
		err = r.Entries(ctx, 0, func(index uint64, e ledger.Entry) error {
			state.Add(index, e)
			return nil
		})
	}
	if err != nil {
		return nil, report.Verification{}, err
	}
	v := report.Verification{
		Size: found.Size, Root: found.Root.String(), Checkpoint: found.Checkpoint, VerifierKey: r.VerifierKey(), At: time.Now().UTC(),
		Command: "rollcall ledger verify --ledger " + paste.Shell(folder) + " --key ledger.key --anchor anchor",
		Fetch:   []string{"rollcall ledger key --ledger " + paste.Shell(folder) + " > ledger.key", "rollcall ledger anchor --ledger " + paste.Shell(folder) + " > anchor"},
	}
	for _, p := range found.Problems {
		v.Problems = append(v.Problems, problemText(p))
	}
	return state, v, nil
}

// lastScreen is the report of a campaign that has just ended, and its exit
// code.
func (s *session) lastScreen(ctx context.Context, campaign string, result workflows.Result) error {
	folder := s.ledgerDir(campaign)
	_, err := os.Stat(folder)
	if err != nil {
		if at, found, why := s.fetch(ctx, campaign); found {
			folder, err = at, nil
		} else if why != nil {
			s.say("note: %v", why)
		}
	}
	if err == nil {
		state, verified, err := readLedger(ctx, folder)
		if err != nil {
			return err
		}
		s.takeEvidence(ctx, folder, state, verified.VerifierKey, s.fetch)
		state = report.InZone(state, s.zoneShown())
		page := folder + ".html"
		_, _, unwritten := htmlFiles(page, state, verified)
		width, _ := terminal(s.Out)
		if err := report.Text(s.Out, state, verified, width); err != nil {
			return err
		}
		if unwritten == nil {
			fmt.Fprintf(s.Out, "report: %s\n", page)
		} else { // how the campaign ended is not changed by that: who only reads a ledger cannot write beside it
			s.say("note: no report was written beside the ledger: %v; `rollcall report --html FILE` writes it elsewhere", unwritten)
		}
		if len(verified.Problems) > 0 {
			return &exit{code: exitError}
		}
	} else {
		s.result("campaign %s: %d listed, %d dead, %d open; the ledger is where the ledger worker keeps it",
			campaign, result.Listed, result.Dead, result.Open)
		if result.LeftOut > 0 {
			s.result("%s left out by a person, and nobody has seen the stolen values refused there: the ledger says by whom and why",
				report.Plural(result.LeftOut, "server or door was", "servers or doors were"))
		}
	}
	if result.Accepted > 0 {
		s.say("%s accepted as open by a person, and could read new values: the ledger says by whom and why", report.Plural(result.Accepted, "login to Vault was", "logins to Vault were"))
	}
	if result.LivesOn > 0 {
		s.say("tokens of %s that nobody can revoke may live on, with what they read: the findings batch-tokens and orphan-tokens say of which, and `rollcall accept-open` accepts one in a running campaign",
			report.Plural(result.LivesOn, "dead login to Vault", "dead logins to Vault"))
	}
	if result.Incomplete > 0 {
		s.say("this list may be incomplete: %s of the listing, which the report, the ledger and `rollcall list` have; correct the sources, or accept what is right in the campaign file",
			report.Plural(result.Incomplete, "warning", "warnings"))
	}
	if result.Aside > 0 {
		s.say("%s may not reach all consumers: at Rollcall's own path, because the account refused what its paths held, or not at a path that an earlier campaign wrote or made stale. The findings at-rollcalls-own-path, path-refused and left-behind say where; copy it to where it is read, or confirm or exclude those paths and run again",
			report.Plural(result.Aside, "new value", "new values"))
	}
	if result.Open > 0 || result.LeftOut > 0 || result.Accepted > 0 || result.Incomplete > 0 || result.Aside > 0 || result.LivesOn > 0 {
		return &exit{code: exitExceptions}
	}
	return nil
}
