package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/profile"
	"rollcall/internal/report"
	"rollcall/internal/wholefile"
)

func (a *app) answersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "answers",
		Short: "Answer each line of the device's profile",
		Long: `A campaign does not start before each line of the device's profile has an answer: covered by
credentials of the roll, none (why), or later (who, by when). Answers lie in a file beside the
campaign file, answers.yaml unless that says otherwise (answers: FILE).`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.answersInit(), a.answersCheck())
	return c
}

// offlineFlag leaves the sources alone.
func offlineFlag(c *cobra.Command, offline *bool, what string) {
	c.Flags().BoolVar(offline, "offline", false, "do not ask the sources"+what)
}

func (a *app) answersInit() *cobra.Command {
	var offline bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a file with a question for each line, and with what the sources found",
		Long: `init asks the sources and writes the file of answers: a question for each line of the profile, in
its order, with where it is configured, what changes with it, and what was found. To a file that is
there already it adds the lines that it lacks, such as those of a newer profile, and leaves all that
a person wrote as it is.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withProfile(cmd.Context(), offline, func(cfg *config.Campaign, roll *credential.Roll) error {
				var acc *credential.Accounting
				if roll != nil {
					acc = roll.Profile
				}
				file := cfg.AnswersIn(filepath.Dir(a.file))
				text := profile.Template(cfg.Profile, acc, namesByLine(roll), cfg.Device, actor(), time.Now())
				err := writeNew(file, text)
				if errors.Is(err, fs.ErrExist) {
					return a.addAnswers(cfg, acc, namesByLine(roll), file)
				}
				if err != nil {
					return err
				}
				if acc == nil {
					acc = profile.AccountOffline(cfg.Profile, cfg.AnswersFile, nil, time.Now())
				}
				fmt.Fprintln(a.Out, file)
				a.say("%s; answer the rest in that file, then `rollcall answers check`", answeredCount(acc))
				return nil
			})
		},
	}
	offlineFlag(c, &offline, ": every line is left open")
	return c
}

// addAnswers adds to a file that is there what it lacks.
func (a *app) addAnswers(cfg *config.Campaign, acc *credential.Accounting, names map[string][]string, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	more, added, err := profile.AddMissing(cfg.AnswersFile, text, cfg.Profile, acc, names, cfg.Device, time.Now())
	switch {
	case err != nil:
		return err
	case len(added) == 0:
		a.say("%s has every line of profile %s already and was left as it is: `rollcall answers check` lists what is open in it", cfg.AnswersFile, cfg.Profile.Name)
		return nil
	}
	if err := replace(file, more); err != nil {
		return fmt.Errorf("%w; %s was left as it is", err, cfg.AnswersFile)
	}
	fmt.Fprintln(a.Out, file)
	a.say("added to %s, and nothing else changed: %s. `rollcall answers check` lists what is open", cfg.AnswersFile, strings.Join(added, ", "))
	return nil
}

// replace writes a file anew, whole or not at all, with its rights.
func replace(file string, text []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	was, err := os.Stat(file)
	if err != nil {
		return err
	}
	return wholefile.Write(file, text, was.Mode().Perm())
}

// writeNew writes a file that was not there.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (a *app) answersCheck() *cobra.Command {
	var out output
	var offline bool
	c := &cobra.Command{
		Use:   "check",
		Short: "List the lines that have no answer, or one that does not hold",
		Long: `check compares the answers with what the sources find, and lists what is open, each with its file
and line. Exit code 1 if a line is open: a campaign would not start.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			return a.withProfile(cmd.Context(), offline, func(cfg *config.Campaign, roll *credential.Roll) error {
				var acc *credential.Accounting
				if acc = profile.AccountOffline(cfg.Profile, cfg.AnswersFile, cfg.Answers, time.Now()); roll != nil {
					acc = roll.Profile
				}
				if asJSON {
					err = printJSON(a.Out, acc)
				} else {
					a.printCheck(acc, namesByLine(roll))
				}
				if err == nil && len(acc.Open()) > 0 {
					err = &exit{code: exitError}
				}
				return err
			})
		},
	}
	out.flag(c)
	offlineFlag(c, &offline, ": what the file says is taken at its word")
	return c
}

// printCheck lists each open line in one line of its own, as compilers do, and
// below it what is asked and who speaks against the answer.
func (a *app) printCheck(acc *credential.Accounting, names map[string][]string) {
	width, tty := terminal(a.Out)
	if !tty {
		width = profileWidth
	}
	for _, l := range acc.Open() {
		fmt.Fprintln(a.Out, report.Clean(listing.OpenLine(l)))
		fmt.Fprint(a.Out, report.Wrap(report.Clean(l.What), "    ", width))
		if l.Ask != "" {
			fmt.Fprint(a.Out, report.Wrap(report.Clean(l.Ask), "    ? ", width))
		}
		if l.Credentials > 0 {
			for _, name := range names[l.Line][:min(maxOpen, len(names[l.Line]))] {
				fmt.Fprint(a.Out, report.Wrap(report.Clean(name), "    found: ", width))
			}
		}
		printMay(a.Out, l, width)
		if l.May != "" {
			for _, name := range names[l.Line][:min(maxOpen, len(names[l.Line]))] {
				fmt.Fprint(a.Out, report.Wrap(report.Clean(name), "       may be: ", width))
			}
		}
	}
	fmt.Fprintln(a.Out, answeredCount(acc))
}

// namesByLine are the credentials of a roll by the lines that they answer, or
// may answer.
func namesByLine(roll *credential.Roll) map[string][]string {
	out := map[string][]string{}
	if roll == nil {
		return out
	}
	for _, c := range roll.Credentials {
		seen := map[string]bool{}
		for _, r := range c.Lines {
			if !seen[r.Line] && !c.Own {
				out[r.Line] = append(out[r.Line], c.Name)
			}
			seen[r.Line] = true
		}
	}
	for _, l := range roll.Profile.Open() {
		out[l.Line] = append(out[l.Line], listing.MayBe(roll, l)...)
	}
	return out
}

var errNoProfile = errors.New("the campaign file names no profile, so there is nothing to answer: `rollcall profiles list` has those of this build (profile: NAME)")

// withProfile runs do with the campaign file and, unless offline, the roll that
// its sources make.
func (a *app) withProfile(ctx context.Context, offline bool, do func(*config.Campaign, *credential.Roll) error) error {
	cfg, err := config.Load(a.file)
	switch {
	case err != nil:
		return err
	case cfg.Profile == nil:
		return errNoProfile
	case offline:
		return do(cfg, nil)
	}
	return a.withVault(ctx, func(s *session) error {
		roll, err := s.listed(ctx)
		if err != nil {
			return fmt.Errorf("%w; --offline asks no source", err)
		}
		return do(s.cfg, roll)
	})
}
