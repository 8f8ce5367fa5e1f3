package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
)

// answers asks whether each line of the device's profile has an answer, as a
// person does before a campaign.
func (d *demo) answers(ctx context.Context) (string, error) {
	admin, err := d.login(ctx)
	if err != nil {
		return "", err
	}
	text, err := d.must(ctx, admin, "answers", "check", "-o", "json")
	if err != nil {
		return "", err
	}
	var acc credential.Accounting
	if err := json.Unmarshal([]byte(text), &acc); err != nil {
		return "", fmt.Errorf("what rollcall answers check printed: %w", err)
	}
	return "every line answered: " + answerCounts(acc.Lines), nil
}

// answerCounts counts the lines by their answer.
func answerCounts(lines []credential.LineAnswer) string {
	n := map[credential.Answer]int{}
	for _, l := range lines {
		n[l.Answer]++
	}
	return fmt.Sprintf("%d lines, %d covered, %d none, %d for later", len(lines), n[credential.Covered], n[credential.None], n[credential.Later])
}

// profileLine is the profile's part of the report.
func (d *demo) profileLine() string {
	if d.state.Profile == nil {
		return "NONE"
	}
	line := "every line answered: "
	if open := d.unanswered(); open > 0 {
		line = fmt.Sprintf("%d LINES UNANSWERED: ", open)
	}
	line += d.state.Profile.Name + ", " + answerCounts(d.state.Answers)
	end, incomplete, _ := ledger.EndOf(d.state)
	switch {
	case end.Clean:
		return line + "; complete and clean"
	case end.Complete:
		return line + "; complete, and not clean: see above"
	}
	return line + "; not complete: " + strings.Join(incomplete, "; ")
}

// unanswered counts lines of the profile without an answer in the record.
func (d *demo) unanswered() int {
	open := len(d.state.Profile.Lines) - len(d.state.Answers)
	for _, a := range d.state.Answers {
		if a.Answer == credential.Unanswered {
			open++
		}
	}
	return open
}

// covered says which credentials answer which line.
func (d *demo) covered() (out []string) {
	for _, a := range d.state.Answers {
		if a.Answer == credential.Covered {
			out = append(out, fmt.Sprintf("%s by %s", a.Line, report.Plural(len(d.state.Answering(a.Line)), "credential", "credentials")))
		}
	}
	return out
}
