package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/workflows"
)

func TestAHundredThousandAccountsAreListedAndTemporalHoldsLessThanAPageOfThem(t *testing.T) {
	const accounts = 100_000
	e := startEstate(t, estate.Options{Tagged: accounts})
	file, err := e.CampaignFile(nil, "limits: {batch: 500}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	engine, err := lab.StartEngine(context.Background(), lab.EngineOptions{Dir: filepath.Join(e.Dir, "engine")})
	require.NoError(t, err)
	t.Cleanup(engine.Kill)
	u.env = append(u.env, "TEMPORAL_ADDRESS="+engine.Address())

	worker, _ := u.begin("worker")
	recorder, _ := u.begin("worker", "--role", "ledger", "--ledger-dir", filepath.Join(e.Dir, "ledger"))
	u.must("start")
	said := &text{}
	requireWithin(t, 10*time.Minute, "the roll is recorded", said, func() bool {
		return u.entries() > accounts && u.ledger().Listed == accounts
	})
	u.must("abort")
	for _, p := range []*os.Process{worker.Process, recorder.Process} {
		require.NoError(t, p.Signal(os.Interrupt))
	}
	require.NotNil(t, u.ledger().By(ledger.CampaignAborted))

	c, err := client.Dial(client.Options{HostPort: engine.Address()})
	require.NoError(t, err)
	defer c.Close()
	events := c.GetWorkflowHistory(context.Background(), workflows.CampaignID(estate.Device), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	size := 0
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		size += event.Size()
	}
	require.Less(t, size, 64<<10, "bytes of the campaign's history at %d credentials", accounts)
}

// text says nothing.
type text struct{}

func (*text) String() string { return "" }
