package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/openapi"
)

type routesOptions struct {
	source
	asJSON, failOnOpen bool
	allow, openapi     []string
}

// routesCommand lists what each route requires.
func routesCommand() *cobra.Command {
	var options routesOptions
	command := &cobra.Command{
		Use:   "routes",
		Short: "Lists the requirements of each route",
		Long: `
Lists the routes with the handler that answers, and the requirements for a request.
A route without a credential is marked OPEN.

The command follows the configuration as a request does. A gate counts only for the
handlers after it, and the first handler that answers ends the route. A matcher
other than path, host, method and not may match a request or not. If a request may
take one of two routes, both are listed.

With --fail-on-open the exit code is 2 if a route is open. --allow names paths that
may be open. An optional gate leaves its routes open. At a gate with an OpenAPI
document, each operation without a credential is open and has its own line. A
document at a URL is not fetched: --openapi names a copy.`,
		Example: `  caddy auth routes
  caddy auth routes --config caddy.json --json
  caddy auth routes --fail-on-open --allow /health --allow '/public/*'`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.BoolVar(&options.asJSON, "json", false, "print JSON")
	flags.BoolVar(&options.failOnOpen, "fail-on-open", false, "exit with 2 if anything is open")
	addOpenAPI(flags, &options.openapi)
	flags.StringArrayVar(&options.allow, "allow", nil, "a path that may be open, in the form of Caddy's path matcher; may be repeated")
	return command
}

func (o *routesOptions) run(cmd *cobra.Command) (int, error) {
	config, err := o.read()
	if err != nil {
		return exitFailed, err
	}
	if err := openapi.UseCopies(o.openapi); err != nil {
		return exitFailed, err
	}
	report := newRoutesReport(config, o.allow)
	if o.failOnOpen && len(report.Unread) > 0 {
		return exitFailed, errors.New(report.Unread[0])
	}
	code := exitDone
	if o.failOnOpen && report.Open > 0 {
		code = exitFindings
	}
	if o.asJSON {
		return code, writeJSON(cmd.OutOrStdout(), report)
	}
	return code, report.write(cmd.OutOrStdout())
}

// routesReport is the output of the command.
type routesReport struct {
	Sites []*site `json:"sites"`
	// Open is the number of open routes that are not allowed to be open.
	Open   int  `json:"open"`
	Coarse bool `json:"coarse,omitempty"`
	// Unread says which OpenAPI documents could not be read. Their public operations
	// are missing.
	Unread []string `json:"unread,omitempty"`
}

// site are the routes of one set of host names.
type site struct {
	Server string   `json:"server"`
	Listen []string `json:"listen"`
	Hosts  []string `json:"hosts,omitempty"`
	Routes []route  `json:"routes"`
}

// route is one line of the report.
type route struct {
	routes.Region
	Open    bool        `json:"open"`
	Allowed bool        `json:"allowed,omitempty"`
	Kind    routes.Kind `json:"kind"`
	Gates   []gate      `json:"gates,omitempty"`
	Answer  string      `json:"answer"`
	Where   string      `json:"where"`
	Unknown []string    `json:"unknown_handlers,omitempty"`
	// Denied is set for a handler that may answer requests that a gate denies: its
	// directive, such as handle_errors.
	Denied string `json:"denied,omitempty"`
	// Operation is set for an operation that an OpenAPI document makes public.
	Operation string `json:"operation,omitempty"`

	row routes.Row
}

func newRoutesReport(config *configuration, allow []string) *routesReport {
	report := &routesReport{}
	allowed := routes.Paths(allow...)
	for i, found := range config.analyze() {
		server := config.Servers[i]
		report.Coarse = report.Coarse || found.Coarse
		sites := map[string]*site{}
		add := func(line route) {
			key := fmt.Sprint(line.row.Hosts)
			if sites[key] == nil {
				sites[key] = &site{Server: server.Name, Listen: server.Listen, Hosts: line.row.Hosts}
				report.Sites = append(report.Sites, sites[key])
			}
			line.Allowed = line.Open && line.Denied == "" && len(allow) > 0 && line.row.Within(allowed)
			if line.Open && !line.Allowed {
				report.Open++
			}
			sites[key].Routes = append(sites[key].Routes, line)
		}
		for _, row := range found.Rows {
			add(newRoute(row))
			for _, line := range report.public(config, row, found.Gates) {
				add(line)
			}
		}
		for _, leak := range config.Leaks(&config.Servers[i], found) {
			line := newRoute(leak.Row)
			line.Open, line.Denied = true, leak.Substitute.Directive()
			add(line)
		}
	}
	return report
}

func newRoute(row routes.Row) route {
	line := route{
		Region: row.Region, Open: row.Open(), Kind: row.Kind, Answer: row.Handler.Target(), Where: row.Handler.Where,
		Unknown: row.Unknown, row: row,
	}
	for _, passed := range row.Gates {
		line.Gates = append(line.Gates, newGate(passed))
	}
	return line
}

// public is [configuration.public], with documents that cannot be read noted.
func (r *routesReport) public(config *configuration, row routes.Row, location []routes.PlacedGate) []route {
	public, err := config.public(row, location)
	if err != nil && !slices.Contains(r.Unread, err.Error()) {
		r.Unread = append(r.Unread, err.Error())
	}
	return public
}

// public returns a line for each operation on a way that OpenAPI documents make public.
func (c *configuration) public(row routes.Row, location []routes.PlacedGate) ([]route, error) {
	if row.Kind != routes.Answers || row.Open() {
		return nil, nil
	}
	open := []route{newRoute(row)}
	for _, gate := range row.Gates {
		if gate.Optional || gate.ReportOnly {
			continue
		}
		described, ok := c.describe(gate)
		if !ok || !described.Declared || len(described.Requirement.Rules()) > 0 {
			return nil, nil
		}
		var config struct {
			OpenAPI *openapi.Policy `json:"openapi"`
		}
		if err := json.Unmarshal(gate.Config, &config); err != nil {
			return nil, err
		}
		operations, err := config.OpenAPI.Public()
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(location, func(p routes.PlacedGate) bool { return p.Where == gate.Where })
		open = narrow(open, operations, location[at].View)
	}
	return open, nil
}

// narrow returns the lines for operations, which the gate sees in a view.
func narrow(lines []route, operations []openapi.Operation, view routes.View) (narrowed []route) {
	for _, line := range lines {
		for _, operation := range operations {
			seen := routes.Paths(parameter.ReplaceAllString(operation.Path, "*"))
			seen.Methods = operation.Methods
			part, ok := line.row.Part(seen, view)
			if !ok {
				continue
			}
			one := line
			one.row.Region, one.Region = part, part
			one.Open, one.Operation = true, operation.Methods[0]+" "+operation.Path
			narrowed = append(narrowed, one)
		}
	}
	return narrowed
}

// parameter is a parameter of a path template. In Caddy's matcher it is an asterisk.
var parameter = regexp.MustCompile(`\{[^{}]*\}`)

func (r *routesReport) write(w io.Writer) error {
	var b strings.Builder
	routes := 0
	for _, site := range r.Sites {
		fmt.Fprintf(&b, "%s\n", site.title())
		for _, route := range site.Routes {
			routes++
			fmt.Fprintf(&b, "  %s\t%s\t%s\t%s\n", methodsOf(route.Set), requestsOf(route.Region), route.takes(), answerOf(route.row))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d routes, %d open\n", routes, r.Open)
	for _, reason := range r.Unread {
		fmt.Fprintf(&b, "Public operations may be missing: %s\n", reason)
	}
	if r.Coarse {
		b.WriteString("There are too many ways through the routes to follow them all: some may have more gates than are listed.\n")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, b.String()); err != nil {
		return err
	}
	return table.Flush()
}
