// Everything new in one region, with budgets and alerts: what `azd up` makes.
using '../main.bicep'

param environmentName = 'captions'
param location = 'westeurope'
param operatorId = '00000000-0000-0000-0000-00000000000a'
param modelName = 'gpt-4o-mini'
param modelVersion = '2024-07-18'
param dailyBudgetUsd = '5'
param monthlyBudgetUsd = '100'
param alertEmail = 'operator@example.com'
