package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/report"
)

func TestTaskLineSaysWhyItIsNotHandedOver(t *testing.T) {
	require.Equal(t, "radius: not handed over yet: nobody is called that", report.TaskLine(report.StatusTask{Name: "radius", Why: "nobody is called that"}))
	require.Contains(t, report.TaskLine(report.StatusTask{Name: "radius"}), "`rollcall report`")
}

func TestWhoeverHasDoneAnEndIsNamedWithLogins(t *testing.T) {
	require.Equal(t, "entity_1 (userpass/carol)", report.StatusTaskEnd{By: "entity_1", Logins: []string{"userpass/carol"}}.Who())
	require.Equal(t, "carol", report.StatusTaskEnd{By: "carol"}.Who())
}
