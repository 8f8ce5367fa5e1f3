package listing

import (
	"fmt"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/profile"
)

// account says of each line of the device's profile what is known of it, and
// warns of those that have no end yet.
func account(spec *config.Campaign, roll *credential.Roll) ([]credential.Finding, error) {
	if spec.Profile == nil {
		return nil, nil
	}
	newer, err := newerProfile(spec.Profile)
	if err != nil {
		return nil, err
	}
	for id, dropped := range profile.DropMisfits(spec.Profile, roll.Credentials) {
		for _, what := range dropped {
			roll.Findings[id] = append(roll.Findings[id], credential.Finding{Code: credential.FindingUnknownLine, Detail: what})
		}
	}
	roll.Profile = profile.Account(spec.Profile, newer, spec.AnswersFile, spec.Answers, roll.Credentials, roll.ListedAt)
	maybe(spec, roll)
	if spec.Unanswered != nil && len(roll.Profile.Open()) > 0 {
		roll.Profile.Unanswered, roll.Profile.UnansweredBy = spec.Unanswered.Reason, spec.Unanswered.By
	}
	var out []credential.Finding
	if open := roll.Profile.Open(); len(open) > 0 {
		out = append(out, credential.Finding{Code: credential.FindingUnanswered,
			Detail: fmt.Sprintf("%d of %s of profile %s %s no answer: %s", len(open), plural.Count(len(roll.Profile.Lines), "line", "lines"), roll.Profile.Profile, plural.Pick(len(open), "has", "have"), ids(open))})
	}
	if later := roll.Profile.Later(); len(later) > 0 {
		out = append(out, credential.Finding{Code: credential.FindingLater,
			Detail: fmt.Sprintf("%d of %s of profile %s %s left for later: %s", len(later), plural.Count(len(roll.Profile.Lines), "line", "lines"), roll.Profile.Profile, plural.Pick(len(later), "is", "are"), owned(later))})
	}
	return out, nil
}

// newerProfile is the profile of that name in this build, if it is another one
// than the campaign was made with: a schedule's is as old as the schedule.
func newerProfile(p *profile.Profile) (*profile.Profile, error) {
	if p.Own {
		return nil, nil
	}
	now, err := config.BuiltInProfile(p.Name)
	if err != nil || now == nil || now.Digest == p.Digest {
		return nil, err
	}
	return now, nil
}

func ids(lines []credential.LineAnswer) string {
	names := make([]string, 0, len(lines))
	for _, l := range lines {
		names = append(names, l.Line)
	}
	return strings.Join(names, ", ")
}

func owned(lines []credential.LineAnswer) string {
	names := make([]string, 0, len(lines))
	for _, l := range lines {
		names = append(names, fmt.Sprintf("%s (%s, due %s)", l.Line, l.Owner, l.Due.Format(time.DateOnly)))
	}
	return strings.Join(names, ", ")
}

// NotAnswered keeps a campaign from starting: the lines of the device's profile
// that have no answer, or one that is wrong. Its text names lines and places in
// files, no account.
type NotAnswered struct {
	Profile string
	Of      int
	Lines   []credential.LineAnswer
}

func (n *NotAnswered) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %s of profile %s %s no answer that holds:", len(n.Lines), plural.Count(n.Of, "line", "lines"), n.Profile, plural.Pick(len(n.Lines), "has", "have"))
	for _, l := range n.Lines {
		b.WriteString("\n" + OpenLine(l))
	}
	return b.String()
}

// OpenLine is an open line with the place where its answer belongs.
func OpenLine(l credential.LineAnswer) string {
	return fmt.Sprintf("%s: %s (%s): %s", l.At, l.Line, l.Kind, l.Why)
}

// RequireAnswers is *NotAnswered if the profile has lines without an answer.
// Where a person goes on without, it is that for wrong answers alone: a wrong
// one is mended, not passed over.
func RequireAnswers(spec *config.Campaign, roll *credential.Roll) error {
	var open []credential.LineAnswer
	for _, l := range roll.Profile.Open() {
		if l.Wrong || spec.Unanswered == nil {
			open = append(open, l)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return &NotAnswered{Profile: roll.Profile.Profile, Of: len(roll.Profile.Lines), Lines: open}
}
