"""The caption model, over chat completions: prompt, request, answer, rules of a caption."""
