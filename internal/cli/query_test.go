package cli

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"rollcall/config"
	"rollcall/internal/engine"
)

// silent is a Temporal of which so many calls get no answer in time.
type silent struct {
	client.Client
	calls, answersAfter int
}

func (s *silent) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if s.calls++; s.calls <= s.answersAfter {
		return nil, serviceerror.NewDeadlineExceeded("context deadline exceeded")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}}, nil
}

// A process that stands still for ten seconds takes a Temporal that answers for
// one that is silent.
func TestATemporalThatSeemsSilentIsAskedOnceMore(t *testing.T) {
	for silentFor, running := range []bool{true, true, false} {
		temporal := &silent{answersAfter: silentFor}
		s := &session{cfg: &config.Campaign{Device: "esg-01"}, engine: &engine.Engine{Client: temporal, Address: "127.0.0.1:7233"}}
		status, err := s.workflowStatus(t.Context())
		if running {
			require.NoError(t, err)
			require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, status)
			continue
		}
		require.ErrorContains(t, err, "asking Temporal at 127.0.0.1:7233 for the campaign: context deadline exceeded")
		require.Equal(t, 2, temporal.calls)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	temporal := &silent{answersAfter: 9}
	_, err := (&session{cfg: &config.Campaign{Device: "esg-01"}, engine: &engine.Engine{Client: temporal}}).describe(over)
	require.Error(t, err)
	require.Equal(t, 1, temporal.calls, "nobody waits any more")
}
