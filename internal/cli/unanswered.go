package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

// because is a flag with a reason: an empty one is none.
type because struct{ text string }

func (b *because) String() string { return b.text }
func (b *because) Type() string   { return "reason" }
func (b *because) Set(s string) error {
	if b.text = strings.TrimSpace(s); b.text == "" {
		return errors.New("needs a reason, which goes into the ledger")
	}
	return nil
}

// word is whose reason it is; nil where there is none.
func (b *because) word() *config.Word {
	if b.text == "" {
		return nil
	}
	return &config.Word{Reason: b.text, By: actor()}
}

func (a *app) unansweredFlag(c *cobra.Command) {
	c.Flags().Var(&a.unanswered, "unanswered", "go on with lines of the profile that have no answer, for this reason; the ledger has it, and the campaign ends with exit code 2")
}

// leftOpen says what a campaign file leaves open without a profile, and without
// an exposure.
func (s *session) leftOpen() {
	if len(s.cfg.Exposure) == 0 {
		s.say("note: the campaign file names no exposure, so nothing was compared with the time before: who could write a secret may have named his own server in it, where the new value would go")
	}
	if s.cfg.Profile == nil {
		s.say("note: the campaign file names no profile, so kinds that no source finds are not asked about: `rollcall profiles list`")
	}
}

// requireAnswers lists, and refuses to begin while lines of the device's
// profile have no answer.
func (s *session) requireAnswers(ctx context.Context) error {
	if s.cfg.Profile == nil {
		if s.unanswered.text != "" {
			return errors.New("--unanswered goes on with lines of a profile that have no answer, and the campaign file names no profile; nothing was started")
		}
		return nil
	}
	if err := discloses("--unanswered", s.unanswered.text); err != nil {
		return err
	}
	if s.unanswered.text != "" {
		s.cfg.Unanswered = s.unanswered.word()
	}
	roll, err := s.listed(ctx)
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	return refusal(listing.RequireAnswers(s.cfg, roll), s.cfg)
}

// refusal adds what to do to lines without an answer.
func refusal(err error, cfg *config.Campaign) error {
	var open *listing.NotAnswered
	if !errors.As(err, &open) {
		return err
	}
	do := fmt.Sprintf("answer them in %s, or go on with --unanswered \"reason\"", cfg.AnswersFile)
	switch {
	case cfg.Answers == nil:
		do = fmt.Sprintf("`rollcall answers init` writes %s with a question for each; or go on with --unanswered \"reason\"", cfg.AnswersFile)
	case cfg.Unanswered != nil:
		do = "--unanswered goes on with lines that nobody has answered, and not with answers that are wrong: correct them"
	}
	return fmt.Errorf("%w%s\nnothing was started; %s", err, hints(open.Lines), do)
}

// hints say of open lines which sources found what may be them.
func hints(open []credential.LineAnswer) string {
	var b strings.Builder
	for _, l := range open {
		if l.May != "" {
			b.WriteString("\n" + l.Line + ": " + l.May)
		}
	}
	return b.String()
}

// printOpenLines shows first of all what nobody has answered, and then in a
// line what is.
func printOpenLines(w io.Writer, acc *credential.Accounting, width int) {
	if acc == nil {
		return
	}
	if open := acc.Open(); len(open) > 0 {
		fmt.Fprintf(w, "%d of %s of profile %s %s unanswered:\n", len(open), plural.Count(len(acc.Lines), "line", "lines"), acc.Profile, plural.Pick(len(open), "is", "are"))
		for _, l := range open {
			fmt.Fprint(w, report.Wrap(report.Clean(listing.OpenLine(l)), "  ", width))
			printMay(w, l, width)
		}
	}
	for _, l := range acc.Lines {
		if l.Answer != credential.Covered && l.Answer != credential.Later {
			continue
		}
		fmt.Fprint(w, report.Wrap(report.Clean(answered(l)), "  ", width))
	}
	fmt.Fprintf(w, "%s\n\n", answeredCount(acc))
}

// printMay says below an open line what may be it.
func printMay(w io.Writer, l credential.LineAnswer, width int) {
	if l.May != "" {
		fmt.Fprint(w, report.Wrap(report.Clean(l.May), "    -> ", width))
	}
}

// answered words the answer to a line.
func answered(l credential.LineAnswer) string {
	switch l.Answer {
	case credential.Covered:
		text := fmt.Sprintf("%s: covered by %s", l.Line, report.Plural(l.Credentials, "credential", "credentials"))
		if l.Matched > 0 {
			text += fmt.Sprintf(", %d of which because the profile has one line of its kind", l.Matched)
		}
		return text
	case credential.Later:
		return fmt.Sprintf("%s: later, %s, due %s", l.Line, l.Owner, l.Due.Format(time.DateOnly))
	case credential.None:
		return fmt.Sprintf("%s: none, %s", l.Line, l.Reason)
	}
	return l.Line + ": " + l.Why
}

func answeredCount(acc *credential.Accounting) string {
	n := map[credential.Answer]int{}
	for _, l := range acc.Lines {
		n[l.Answer]++
	}
	return fmt.Sprintf("profile %s: %s, %d covered, %d none, %d later, %d unanswered", acc.Profile,
		report.Plural(len(acc.Lines), "line", "lines"), n[credential.Covered], n[credential.None], n[credential.Later], n[credential.Unanswered])
}
