package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/people"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
)

func (a *app) tasksCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tasks",
		Short: "What only people can do: list it, do it, say that it is done",
		Long: `tasks shows what only a person can change, by whom and until when.

Whoever does a task needs a login to Vault of his own with the policy rollcall-tasks, and
neither the ledger nor Temporal: what is handed over to him lies in Vault, and there he says
what he has done. The campaign takes that up at once if the command reaches its Temporal, with
the next rollcall run, or within an hour.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listTasks(cmd.Context(), &output{format: "text"}) },
	}
	c.AddCommand(a.tasksListCommand(), a.tasksShowCommand(), a.tasksDoneCommand(), a.tasksReassignCommand(), a.tasksRenewCommand())
	return c
}

func (a *app) tasksListCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "All tasks of the latest campaign, or where its ledger is not here, your own",
		Long: `list reads the ledger of the device's latest campaign, if it is on this machine. Else it
shows what is handed over to you in Vault.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listTasks(cmd.Context(), &out) },
	}
	out.flag(c)
	return c
}

func (a *app) listTasks(ctx context.Context, out *output) error {
	asJSON, err := out.json()
	if err != nil {
		return err
	}
	width, _ := terminal(a.Out)
	if state := a.ledgerHere(ctx); state != nil {
		tasks := report.Tasks(state, time.Now())
		if asJSON {
			return printJSON(a.Out, map[string]any{"campaign": state.Campaign, "tasks": tasks})
		}
		a.result("campaign %s", state.Campaign)
		if len(tasks) == 0 {
			a.result("no tasks: no row of a manifest has a kind that only a person can change")
		}
		fmt.Fprint(a.Out, report.TasksText(state, time.Now(), width))
		return nil
	}
	return a.withPerson(ctx, func(s *ownmount.Store, me string) error {
		cards, err := s.Cards(ctx, me)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.Out, map[string]any{"tasks": cards})
		}
		if len(cards) == 0 {
			a.result("nothing is handed over to you")
		}
		for _, c := range cards {
			ends, err := endsSaid(ctx, s, me, c)
			if err != nil {
				return err
			}
			fmt.Fprint(a.Out, report.Wrap(report.Clean(fmt.Sprintf("%s (%s, campaign %s): due %s, ends: %s", c.Name, c.Kind, c.Campaign, c.Due.In(a.zoneShown()).Format(time.RFC3339), strings.Join(ends, ", "))), "", width))
		}
		return nil
	})
}

func (a *app) tasksShowCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "What is to be done, at which ends, and where the new value is",
		Long: `show prints what is handed over to you of one task: instructions, your ends, and the
command that reads the new value where Rollcall made one. It prints no value.`,
		Args: oneArgument("a task; `rollcall tasks` lists yours"),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			return a.withPerson(cmd.Context(), func(s *ownmount.Store, me string) error {
				c, err := cardOf(cmd.Context(), s, me, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.Out, map[string]any{"task": c, "path": c.Path, "made": !c.Value.IsZero()})
				}
				width, _ := terminal(a.Out)
				printCard(a.Out, c, width, a.zoneShown())
				return nil
			})
		},
	}
	out.flag(c)
	return c
}

func printCard(w io.Writer, c ownmount.Card, width int, zone *time.Location) {
	fmt.Fprint(w, report.Wrap(report.Clean(fmt.Sprintf("%s (%s) of device %s, campaign %s, due %s", c.Name, c.Kind, c.Device, c.Campaign, c.Due.In(zone).Format(time.RFC3339))), "", width))
	for _, do := range c.Do {
		fmt.Fprint(w, report.Wrap(report.Clean(do), "  - ", width))
	}
	for i, e := range c.Ends {
		fmt.Fprint(w, report.Wrap(report.Clean(e), fmt.Sprintf("  end %d: ", i+1), width))
	}
	if !c.Value.IsZero() {
		mount, path, _ := strings.Cut(c.Path, "/")
		fmt.Fprintf(w, "  the new value: vault kv get -mount=%s -field=%s %s\n", paste.Shell(mount), credential.AnyByHand.Traits().Field, report.Clean(paste.Last(path)))
	}
	fmt.Fprintf(w, "  when an end is done: rollcall tasks done --end 1 %s\n", report.Clean(paste.Last(c.Name)))
}

func (a *app) tasksDoneCommand() *cobra.Command {
	var end, note, evidence string
	c := &cobra.Command{
		Use:   "done NAME",
		Short: "Say, as yourself, that one end of a task is done",
		Long: `done writes into Vault, where nobody but you may write, that you have changed one end. Who
you are comes from your login to Vault (VAULT_TOKEN, or vault login), and not from what you say:
a token of a program, Rollcall's own, one without an entity (a root token) or a login that is on the
roll counts for nothing. The ledger holds your name as Vault has it, the time, the note and the
SHA-256 of the file that you keep as evidence. It cannot be taken back.`,
		Args: oneArgument("a task; `rollcall tasks` lists yours"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			st := people.Statement{Does: people.Done, Note: strings.TrimSpace(note)}
			if evidence != "" {
				if len(evidence) > longestFile || !people.Printable(evidence) {
					return errors.New("cannot say done: --evidence: must be the name of a file, of 1,024 bytes at most and without control characters; nothing was said")
				}
				sum, err := fileSum(evidence)
				if err != nil {
					return fmt.Errorf("cannot say done: --evidence: %w; nothing was said", err)
				}
				st.SHA256 = sum
			}
			return a.withPerson(ctx, func(s *ownmount.Store, me string) error {
				c, err := cardOf(ctx, s, me, args[0])
				if err != nil {
					return err
				}
				if st.End, err = endOf(c, end); err != nil {
					return err
				}
				if err := a.newWord(ctx, s, me, c, st); err != nil {
					return err
				}
				if err := withoutValue("--note", st.Note, c); err != nil {
					return err
				}
				return a.state(ctx, s, me, c.Campaign, c.Credential, c.Name, st)
			})
		},
	}
	c.Flags().StringVar(&end, "end", "", "the end that is done: its name, the beginning of it, or its number in show")
	c.Flags().StringVar(&note, "note", "", "what you did; it goes into the ledger, so no secret")
	c.Flags().StringVar(&evidence, "evidence", "", "a file that you keep (a screenshot, a ticket): its SHA-256 goes into the ledger, not the file")
	return c
}

func (a *app) tasksReassignCommand() *cobra.Command {
	var end, to, reason string
	c := &cobra.Command{
		Use:   "reassign NAME",
		Short: "Give a task, or one end of it, to somebody else",
		Long: `reassign writes into Vault, as you, that somebody else sees to a task: he gets what was
handed over, and it is taken from whoever had it. Nobody takes a task himself: another person gives
it to him. The ledger holds who gave it to whom and why.`,
		Args: oneArgument("a task; `rollcall tasks` lists yours"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			st := people.Statement{Does: people.Reassign, To: strings.TrimSpace(to), Note: strings.TrimSpace(reason)}
			return a.withPerson(ctx, func(s *ownmount.Store, me string) error {
				c, err := cardOf(ctx, s, me, args[0])
				if err != nil {
					// Who does not have it may know it by the ledger.
					known, there := a.taskInLedger(ctx, args[0])
					if !there {
						return err
					}
					c = known
				}
				if end != "" {
					st.End, err = endOf(c, end)
					if err != nil {
						// It may be somebody else's end.
						known, there := a.taskInLedger(ctx, args[0])
						if !there || known.Campaign != c.Campaign {
							return err
						}
						if st.End, err = endOf(known, end); err != nil {
							return fmt.Errorf("--end: which of the ends of %s: %s; nothing was said", known.Name, strings.Join(known.Ends, ", "))
						}
					}
				}
				if err := a.newWord(ctx, s, me, c, st); err != nil {
					return err
				}
				if err := withoutValue("--reason", st.Note, c); err != nil {
					return err
				}
				return a.state(ctx, s, me, c.Campaign, c.Credential, c.Name, st)
			})
		},
	}
	c.Flags().StringVar(&end, "end", "", "one end; without it all that are not done")
	c.Flags().StringVar(&to, "to", "", "to whom: the name of an entity in Vault, or a login, MOUNT/NAME")
	c.Flags().StringVar(&reason, "reason", "", "why; it goes into the ledger")
	_ = c.MarkFlagRequired("to")
	_ = c.MarkFlagRequired("reason")
	return c
}

// state writes a statement, and has the campaign look at it.
func (a *app) state(ctx context.Context, s *ownmount.Store, me, campaign, id, name string, st people.Statement) error {
	if why := st.Malformed(); why != "" {
		return fmt.Errorf("cannot say that: %s; nothing was said", why)
	}
	statement, err := s.WriteStatement(ctx, me, campaign, id, st)
	if err != nil {
		return fmt.Errorf("%w; nothing was said, as far as is known: say it again", err)
	}
	look, err := a.lookAtTasks(ctx, campaign, people.Statement{ID: statement, Entity: me}.Key())
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoCampaignHere):
		// Whoever does a task needs no campaign file and no engine.
		a.say("said, and not taken up yet, for the campaign is not reached from here (which you do not need): it does so within an hour while it runs, else with the next `rollcall run`")
	case isOver(err):
		return fmt.Errorf("said, and it counts for nothing: the tasks of campaign %s have ended, and nobody takes up what is said of them any more; `rollcall tasks list` has what is to be done now", campaign)
	case err != nil:
		a.say("said, and not taken up yet (%v): the campaign does so within an hour while it runs, else with the next `rollcall run`", err)
	case look.Known && look.Said != "":
		return fmt.Errorf("said, and it counts for nothing: %s", look.Said)
	case !look.Known:
		a.say("said, and not taken up: the task is not open any more, or not yet; `rollcall tasks list` where the ledger is says more")
	case st.Does == people.Renew:
		a.result("discarded: the value of %s; another one is made and handed over at once, or as soon as nothing is in the way (`rollcall tasks show %s` has it then)", report.Clean(name), report.Clean(paste.Last(name)))
	case st.Does == people.Reassign:
		a.result("given to %s: %s", st.To, name)
		if owed := owedLine(look); owed != "" {
			a.say("%s", owed)
		}
	default:
		a.result("done: %s, %s; it is in the ledger", name, st.End)
	}
	return nil
}

// withPerson opens Vault as the person at the keyboard. No campaign file is
// needed: without one Rollcall's mount is the usual one.
func (a *app) withPerson(ctx context.Context, do func(s *ownmount.Store, me string) error) error {
	mount, transit := config.DefaultMount, config.DefaultTransit
	cfg, err := config.LoadForReading(a.file)
	switch {
	case err == nil:
		mount, transit = cfg.Vault.Mount, cfg.Vault.Transit
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s, err := ownmount.Open(ctx, ownmount.Settings{Mount: mount, Transit: transit})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if s.AppRole() {
		return errors.New("a task is a person's, and this is the login of a program (ROLLCALL_ROLE_ID): unset it, and log in to Vault as yourself")
	}
	me, err := s.Self(ctx)
	if err != nil {
		return err
	}
	if me == "" {
		return errors.New("this token belongs to nobody (a root token, or one without an entity), so nothing shows who you are: log in to Vault as yourself (`vault login -method=…`)")
	}
	return do(s, me)
}

// cardOf is what is handed over to a person of one task.
func cardOf(ctx context.Context, s *ownmount.Store, me, name string) (ownmount.Card, error) {
	cards, err := s.Cards(ctx, me)
	if err != nil {
		return ownmount.Card{}, err
	}
	return cardNamed(cards, name)
}

// cardNamed is the card of a task, by its name or its id. Two devices may have
// tasks of one name, and a word about the wrong one cannot be taken back.
func cardNamed(cards []ownmount.Card, name string) (ownmount.Card, error) {
	var found []ownmount.Card
	var names []string
	for _, c := range slices.Backward(cards) { // the newest campaign last
		if c.Credential == name {
			return c, nil
		}
		if strings.EqualFold(c.Name, name) && !slices.ContainsFunc(found, func(f ownmount.Card) bool { return f.Credential == c.Credential }) {
			found = append(found, c)
		}
		names = append(names, c.Name)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var which []string
		for _, c := range found {
			which = append(which, fmt.Sprintf("%s (device %s)", c.Credential, c.Device))
		}
		return ownmount.Card{}, fmt.Errorf("%d tasks of the name %s are handed over to you; say which instead of the name: %s; nothing was said", len(found), name, strings.Join(which, ", "))
	case len(names) == 0:
		return ownmount.Card{}, fmt.Errorf("no task is handed over to you, so not %s either: it is somebody else's, done, or not open yet; whoever has it can give it to you (rollcall tasks reassign)", name)
	}
	return ownmount.Card{}, fmt.Errorf("no task %s is handed over to you; yours are %s. It is somebody else's, done, or not open yet; whoever has it can give it to you (rollcall tasks reassign)", name, strings.Join(names, ", "))
}

// endOf is the end that a person means: by its name, its beginning or its
// number. A number that is the name of another end as well means neither.
func endOf(c ownmount.Card, text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" && len(c.Ends) == 1 {
		return c.Ends[0], nil
	}
	var exact, begin []string
	for i, e := range c.Ends {
		if strings.EqualFold(e, text) || text == strconv.Itoa(i+1) {
			exact = append(exact, e)
		}
		if text != "" && strings.HasPrefix(strings.ToLower(e), strings.ToLower(text)) {
			begin = append(begin, e)
		}
	}
	switch {
	case len(exact) == 1:
		return exact[0], nil
	case len(exact) == 0 && len(begin) == 1:
		return begin[0], nil
	}
	return "", fmt.Errorf("--end: which of the ends of %s that are yours: %s; nothing was said", c.Name, strings.Join(c.Ends, ", "))
}

// longestFile bounds the name of a file that is kept as evidence.
const longestFile = 1024

// fileSum is the SHA-256 of a file.
func fileSum(path string) (string, error) {
	// What is no file (a pipe, a device) may never end.
	if about, err := os.Stat(path); err != nil {
		return "", err
	} else if !about.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
