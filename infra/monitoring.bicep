// Telemetry, alerts and a workbook. The queries are files in queries/; tests/infra/test_queries.py
// compares them with the lines that the app logs.

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Application Insights resource.')
param insightsName string

@description('Name of the group that alerts go to.')
param actionGroupName string

@description('Event Grid topic of the account with images.')
param topicName string

@description('E-mail address that alerts go to. Empty: they only show in the portal.')
param alertEmail string

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    retentionInDays: 30
    sku: { name: 'PerGB2018' }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

// ---- Alerts -------------------------------------------------------------------------------------

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'captioning'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

var images = loadTextContent('queries/images.kql')

// `every` and `over`: how often the query runs, and over which period.
var alerts = [
  {
    name: 'failed-images'
    title: 'Images failed or were poisoned'
    advice: 'The records say why: GET /api/captions, or reprocess --status failed --dry-run.'
    query: '${images}${loadTextContent('queries/failed.kql')}'
    severity: 2
    every: 'PT15M'
    over: 'PT15M'
  }
  {
    name: 'broken-service'
    title: 'Images wait because a role is missing or the model is gone'
    advice: 'GET /api/health names the service. Fix it within a day, or the images fail.'
    query: '${images}${loadTextContent('queries/broken.kql')}'
    severity: 1
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'old-backlog'
    title: 'Images have waited for two hours'
    advice: 'The services give less than the uploads ask for: raise their quotas.'
    query: '${images}${loadTextContent('queries/backlog.kql')}'
    severity: 2
    every: 'PT1H'
    over: 'P1D'
  }
  {
    name: 'throttled'
    title: 'A fifth of the runs is throttled'
    advice: 'Raise quotas, or lower visionCallsPerSecond and modelTokensPerMinute to what they are.'
    query: '${images}${loadTextContent('queries/throttled.kql')}'
    severity: 3
    every: 'PT15M'
    over: 'PT30M'
  }
  {
    name: 'overlooked-images'
    title: 'New images arrive without events'
    advice: 'GET /api/health says since when. Look at the Event Grid subscription `created`; `azd hooks run postdeploy` makes it again.'
    query: loadTextContent('queries/overlooked.kql')
    severity: 3
    every: 'PT30M'
    over: 'PT30M'
  }
  {
    name: 'missing-images'
    title: 'Reconcile finds too many images missing, or another container'
    advice: 'GET /api/health names the reason. Check ImageStorage and IMAGES_CONTAINER before `python -m captioning reconcile --confirm`.'
    query: loadTextContent('queries/stopped.kql')
    severity: 1
    every: 'PT15M'
    over: 'PT15M'
  }
  {
    name: 'untold-images'
    title: 'The webhook did not get records of images'
    advice: 'Fix the receiver or NOTIFY_URL; GET /api/captions?since= has what it missed.'
    query: loadTextContent('queries/untold.kql')
    severity: 2
    every: 'PT30M'
    over: 'PT30M'
  }
  {
    name: 'budget'
    title: 'Four fifths of a budget are spent'
    advice: 'At the limit images wait until the day or month turns (UTC), or until it is raised.'
    query: loadTextContent('queries/budget.kql')
    severity: 3
    every: 'PT15M'
    over: 'PT15M'
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: alert.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.title
      description: alert.advice
      enabled: true
      severity: alert.severity
      scopes: [insights.id]
      evaluationFrequency: alert.every
      windowSize: alert.over
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      skipQueryValidation: true // the table of traces appears with the first of them
      actions: { actionGroups: empty(alertEmail) ? [] : [actions.id] }
    }
  }
]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = { name: topicName }

resource deadLetters 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid could not deliver events in a day of attempts. docs/operate.md, "Dead letters", says how to recover.'
    severity: 2
    enabled: true
    scopes: [topic.id]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricName: 'DeadLetteredCount'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    autoMitigate: true
    actions: empty(alertEmail) ? [] : [{ actionGroupId: actions.id }]
  }
}

// ---- Workbook -----------------------------------------------------------------------------------

var charts = [
  { title: 'Images done, by quarter of an hour', query: '${images}${loadTextContent('queries/throughput.kql')}' }
  { title: 'Where images stand', query: '${images}${loadTextContent('queries/states.kql')}' }
  { title: 'Time by step', query: loadTextContent('queries/latency.kql') }
  { title: 'Tokens and Vision transactions', query: '${images}${loadTextContent('queries/tokens.kql')}' }
  { title: 'Dollars by day, as the app counts them', query: '${images}${loadTextContent('queries/dollars.kql')}' }
]

var timePicker = {
  type: 9
  name: 'time'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    queryType: 0
    resourceType: 'microsoft.insights/components'
    parameters: [
      {
        version: 'KqlParameterItem/1.0'
        name: 'time'
        label: 'Time'
        type: 4
        isRequired: true
        value: { durationMs: 86400000 }
        typeSettings: {
          selectableValues: [
            { durationMs: 3600000 }
            { durationMs: 86400000 }
            { durationMs: 604800000 }
            { durationMs: 2592000000 }
          ]
        }
      }
    ]
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insights.id, 'captioning')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Image captioning'
    category: 'workbook'
    sourceId: insights.id
    serializedData: string({
      version: 'Notebook/1.0'
      fallbackResourceIds: [insights.id]
      items: concat(
        [timePicker],
        map(charts, chart => {
          type: 3
          name: chart.title
          content: {
            version: 'KqlItem/1.0'
            title: chart.title
            query: chart.query
            size: 0
            timeContextFromParameter: 'time'
            queryType: 0
            resourceType: 'microsoft.insights/components'
          }
        })
      )
    })
  }
}
