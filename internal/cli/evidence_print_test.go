package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/judge"
)

func TestOfEachGradeAFewHundredFindingsAreWrittenOutAndTheOthersCounted(t *testing.T) {
	r := &judge.Result{}
	for range mostFindings + 5 {
		r.Findings = append(r.Findings, judge.Finding{Code: judge.UsedElsewhere, Grade: judge.Confirmed, Count: 1})
	}
	r.Findings = append(r.Findings, judge.Finding{Code: judge.TriedAfter, Grade: judge.Probable, Count: 1})
	var out bytes.Buffer
	require.NoError(t, printEvidence(&out, r, 120, time.UTC))
	require.Equal(t, mostFindings, strings.Count(out.String(), "confirmed: used-elsewhere"))
	require.Contains(t, out.String(), "confirmed: and 5 more; -o json has all\nprobable: tried-after-rotation")
}
