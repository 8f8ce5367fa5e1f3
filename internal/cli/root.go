// Package cli is the command line.
//
// The rules of the interface: results go to standard output, human words and
// progress to standard error. Messages start in lower case and have no full
// stop at their end. Every reading command takes -o json, whose keys are
// stable. No command takes a secret as an argument.
//
// Exit codes: 0 all dead on every server (or done), 1 an error, 2 finished with
// exceptions or with a server left out, 3 not finished (paused, detached).
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rollcall/internal/inventory"
	"rollcall/internal/metrics"
	"rollcall/internal/report"
	"rollcall/internal/version"
)

// Streams are what a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Exit codes.
const (
	exitOK         = 0
	exitError      = 1
	exitExceptions = 2
	exitUnfinished = 3
)

// exit ends a command with a code that is not 1. err may be nil: then
// everything has been said.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// app is what all commands share.
type app struct {
	Streams
	file     string // campaign file
	stateDir string // local engine
	verbose  bool
	log      logging
	takeOver bool             // end a campaign of the device that lives elsewhere
	warns    bool             // log warnings without -v
	metrics  *metrics.Metrics // nil: nobody listens

	unanswered because // go on with lines of the profile that nobody answered
	override   because // go on although the device may not be contained
	unfitDoors because // go on with doors that are not what the campaign file says

	kept     *inventory.Kept // what is read ahead of a listing; nil: nothing is
	starting func()          // called when the local engine is about to be started; nil: nobody waits

	timeZone string // for people; empty: TZ, else UTC

	asStarted bool // rejoin a campaign whatever the file says by now
	stay      bool // follow a campaign that waits for people alone

	yes   bool      // ask nobody
	first selection // what is tried before all else

	controls      bool // asks a running campaign for something
	reads         bool // only looks at what campaigns left
	makesEvidence bool // what sources of type evidence read is just being made
	saidLeftOut   bool // which of them are left out of the roll meanwhile was said
}

// Run runs one command and returns the exit code. Cancelling ctx is the
// polite way to stop it: `run` detaches, `worker` finishes what it holds.
func Run(ctx context.Context, args []string, s Streams) int {
	a := &app{Streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	var e *exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		if e.err != nil {
			a.sayAt(slog.LevelError, "rollcall: %v", e.err)
		}
		return e.code
	}
	a.sayAt(slog.LevelError, "rollcall: %v", err)
	return exitError
}

// helpColumns is what help takes at most of a wider terminal, or of none.
const helpColumns = 100

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Rotate every credential of a compromised appliance until the stolen value is proved dead",
		Long: `Rollcall lists every credential that a compromised appliance held or saw,
rotates each one until the stolen value is proved dead on every server, and
leaves a record that an outsider can verify.

Vault is reached through its own environment (VAULT_ADDR, VAULT_TOKEN,
VAULT_CACERT, or ROLLCALL_ROLE_ID and ROLLCALL_SECRET_ID_FILE), Temporal through
its own (TEMPORAL_ADDRESS, TEMPORAL_PROFILE, temporal.toml). Without a
configured Temporal, run starts one on this machine.

Exit codes: 0 all dead on every server, 1 an error, 2 finished with exceptions, with
a server left out or with something perhaps missing from the list, 3 not finished.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       versionText(version.Current()),
	}
	root.SetVersionTemplate("{{.Version}}")
	root.Flags().Bool("version", false, "show which build this is, as rollcall version does")
	root.PersistentFlags().StringVarP(&a.file, "file", "f", cmp.Or(os.Getenv("ROLLCALL_FILE"), "campaign.yaml"), "campaign file; else that of ROLLCALL_FILE")
	root.PersistentFlags().StringVar(&a.stateDir, "state-dir", defaultStateDir(), "where the local engine keeps its database; else that of ROLLCALL_STATE_DIR")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log what the worker does to standard error")
	a.logFlags(root)
	root.AddGroup(
		&cobra.Group{ID: "prepare", Title: "Set up:"},
		&cobra.Group{ID: "campaign", Title: "Run:"},
		&cobra.Group{ID: "record", Title: "Record:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("prepare", a.initCommand(), a.doctorCommand(), a.profilesCommand(), a.answersCommand(), a.rehearseCommand(), a.containCommand(), a.demoCommand())
	add("campaign", a.listCommand(), a.planCommand(), a.runCommand(), a.startCommand(), a.statusCommand(), a.watchCommand(),
		a.pauseCommand(), a.resumeCommand(), a.abortCommand(), a.closeCommand(), a.relistCommand(), a.leaveOutCommand(), a.acceptOpenCommand(), a.tasksCommand(), a.workerCommand(), a.scheduleCommand())
	add("record", a.campaignsCommand(), a.reportCommand(), a.evidenceCommand(), a.ledgerCommand(), a.versionCommand())
	root.AddCommand(a.intruderCommand(), a.docsCommand())
	width, _ := terminal(a.Out)
	width = min(width, helpColumns)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", fmt.Sprintf("FlagUsagesWrapped %d", width)))
	addExamples(root)
	narrow(root, width)
	a.addCompletions(root)
	return root
}

// narrow breaks help for a terminal's width. Lines of a paragraph are one text,
// however the source breaks them; what is indented stays a line each.
func narrow(c *cobra.Command, width int) {
	var lines, paragraph []string
	broken := func(text string) string { return strings.TrimSuffix(report.Wrap(text, indentOf(text), width), "\n") }
	end := func() {
		if paragraph != nil {
			lines = append(lines, broken(strings.Join(paragraph, " ")))
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(c.Long, "\n") {
		if line != "" && indentOf(line) == "" {
			paragraph = append(paragraph, line)
			continue
		}
		end()
		if report.Columns(line) > width {
			line = broken(line)
		}
		lines = append(lines, line)
	}
	end()
	c.Long = strings.Join(lines, "\n")
	for _, below := range c.Commands() {
		narrow(below, width)
	}
}

// noArguments is for commands that take none. A word where a command was meant
// gets the commands that look like it.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasAvailableSubCommands():
		return fmt.Errorf("%s takes no arguments, not %q", cmd.CommandPath(), args[0])
	}
	if meant := meantBy(cmd, args[0]); meant != "" {
		return fmt.Errorf("%s has no command %q; did you mean %s?", cmd.CommandPath(), args[0], meant)
	}
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("%s has no command %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(like, " or "))
	}
	return fmt.Errorf("%s has no command %q; %s --help lists them", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// oneArgument is for commands that take one; what says which, for people.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		name := cmd.Use[strings.LastIndex(cmd.Use, " ")+1:]
		switch len(args) {
		case 0:
			return fmt.Errorf("%s needs %s, %s", cmd.CommandPath(), name, what)
		case 1:
			return nil
		}
		return fmt.Errorf("%s takes one %s, not %d", cmd.CommandPath(), name, len(args))
	}
}

// someArguments is for commands that take one or more.
func someArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs at least one argument: %s", cmd.CommandPath(), cmd.UseLine())
	}
	return nil
}

// oneCampaign is for commands that take the id of a campaign, or none.
func oneCampaign(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one campaign, not %d: `rollcall campaigns` lists them", cmd.CommandPath(), len(args))
	}
	return nil
}

// called are commands by what people call them who know other programs.
var called = map[string]string{
	"unpause": "resume", "continue": "resume", "go-on": "resume", "suspend": "pause", "hold": "pause",
	"stop": "abort", "cancel": "abort", "kill": "abort", "finish": "close", "accept": "close", "done": "close",
	"start-over": "run", "apply": "run", "rotate": "run", "diff": "plan", "dry-run": "plan", "preview": "plan",
	"ls": "list", "show": "status", "ps": "status", "history": "campaigns", "follow": "watch", "tail": "watch",
	"check": "doctor", "validate": "doctor", "lint": "doctor", "verify": "ledger verify", "skip": "leave-out",
}

// meantBy is the command, below cmd, that people mean by another word; empty if
// none is known.
func meantBy(cmd *cobra.Command, word string) string {
	meant := called[strings.ToLower(word)]
	if found, rest, err := cmd.Find(strings.Fields(meant)); meant == "" || err != nil || found == cmd || len(rest) > 0 {
		return ""
	}
	return meant
}

func defaultStateDir() string {
	if dir := os.Getenv("ROLLCALL_STATE_DIR"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "rollcall")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".rollcall"
	}
	return filepath.Join(home, ".local", "state", "rollcall")
}

// terminal reports whether w is a terminal, and how wide it is.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 100, false
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width, true
	}
	return 100, true
}

// size is that of a terminal, which its user may change.
func size(w io.Writer) (width, height int) {
	if f, isFile := w.(*os.File); isFile {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// actor names who asks, for the ledger. It is a claim, not an authentication.
func actor() string {
	// In a container users have numbers and no names, and two of them are two.
	name := fmt.Sprintf("uid-%d", os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	// Two people who are root by sudo are two as well.
	if by := os.Getenv("SUDO_USER"); loginName.MatchString(by) && os.Getuid() == 0 && by != "root" {
		name += " (sudo of " + by + ")"
	}
	return name
}

var loginName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,63}$`)

// output is the -o flag of reading commands.
type output struct {
	format string
	csv    bool // there is that format too
}

func (o *output) takes() string {
	if o.csv {
		return "text, json or csv"
	}
	return "text or json"
}

func (o *output) flag(c *cobra.Command) {
	c.Flags().StringVarP(&o.format, "output", "o", "text", o.takes())
}

func (o *output) json() (bool, error) {
	switch o.format {
	case "text":
		return false, nil
	case "json":
		return true, nil
	case "csv":
		if o.csv {
			return false, nil
		}
	}
	return false, fmt.Errorf("-o takes %s, not %q", o.takes(), o.format)
}
