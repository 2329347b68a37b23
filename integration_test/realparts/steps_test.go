package realparts

// stepsUp are the clients that get a token with more scope after a 403 by themselves, by
// their packages. The others report the denial.
var stepsUp = map[string]bool{
	"@modelcontextprotocol/sdk":              true,
	"@modelcontextprotocol/client":           true,
	"github.com/modelcontextprotocol/go-sdk": true,
	"mcp-remote":                             true,
	"mcporter":                               false,
	"@modelcontextprotocol/inspector":        false,
	"@ai-sdk/mcp":                            false,
}
