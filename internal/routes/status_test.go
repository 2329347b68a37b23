package routes

import "testing"

func TestEvaluate(t *testing.T) {
	for expression, want := range map[string]struct{ at401, at404 answer }{
		"{http.error.status_code} == 404":                                                        {no, yes},
		"{http.error.status_code} != 404":                                                        {yes, no},
		"{http.error.status_code} in [401, 403]":                                                 {yes, no},
		"{http.error.status_code} >= 400 && {http.error.status_code} <= 403":                     {yes, no},
		"{http.error.status_code} < 402 || path('/x')":                                           {yes, maybe},
		"{http.error.status_code} > 403 && path('/x')":                                           {no, maybe},
		"!({http.error.status_code} == 404)":                                                     {yes, no},
		"!({http.error.status_code} == 404) || !(path('/x'))":                                    {yes, maybe},
		"({http.error.status_code} == 401) || ({http.error.status_code} == 404)":                 {yes, yes},
		"({http.error.status_code} == 401 && (path('/x') || true))":                              {yes, no},
		"int({http.error.status_code}) == 404":                                                   {no, yes},
		"{http.intercept.status_code} == 401":                                                    {yes, no},
		"path('/x') ? {http.error.status_code} == 404 : {http.error.status_code} == 404 || true": {maybe, maybe},
		"path('&& {http.error.status_code} == 404')":                                             {maybe, maybe},
		"path(')') || ({http.error.status_code} == 404)":                                         {maybe, yes},
		"{http.error.status_code} == '404'":                                                      {no, no},
		"{http.request.header.X} == 404":                                                         {maybe, maybe},
		"{http.error.status_code} == 404 == true":                                                {no, yes},
		"\\{http.error.status_code} == 404":                                                      {maybe, maybe},
		"[1, 2].all(x, [1, 2].all(y, x == y)) || true":                                           {yes, yes},
		"": {maybe, maybe},
	} {
		t.Run(expression, func(t *testing.T) {
			if got := evaluate(expression, 401); got != want.at401 {
				t.Errorf("at 401: %d, want %d", got, want.at401)
			}
			if got := evaluate(expression, 404); got != want.at404 {
				t.Errorf("at 404: %d, want %d", got, want.at404)
			}
		})
	}
}
