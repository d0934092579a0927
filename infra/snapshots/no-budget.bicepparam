// As little as can be said: no budget, nobody who is told or given roles, the model's default version.
using '../main.bicep'

param environmentName = 'captions'
param location = 'westeurope'
param modelName = 'gpt-4o-mini'
param dailyBudgetUsd = 'none'
